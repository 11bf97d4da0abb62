"""A frozen backbone in bf16: what plain autocast gives, wherever it computes; never mixed with exact features."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

import tlx
from tests.feature_cache.trials import composed, run, same, words
from tlx.config.errors import ConfigError
from tlx.feature_cache.prefix_cache import PhaseUsage, PrefixCache
from tlx.planning.cache_estimate import CacheEstimate
from tlx.planning.tables import show_choices
from tlx.planning.trial_plan import outline, plan_trial
from tlx.runs import layout
from tlx.serving import graphs
from tlx.tasks.network import Network
from tlx.training.build import TrialComponents, build
from tlx.training.locate import locate

BF16 = "reuse.precision=bf16"


def plain_features(built: TrialComponents, split: str) -> Tensor:
    """What the backbone gives under torch's own autocast."""
    model = built.module.model
    assert isinstance(model, Network)
    backbone = model.eval().backbone
    (argument,) = model.takes
    found = []
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for batch in built.data.eval_loader(split):
            (images,) = batch.inputs.values()
            found.append(backbone(**{argument: images.contiguous(memory_format=torch.channels_last)}))
    return torch.cat(found)


def cache_of(built: TrialComponents) -> PrefixCache:
    built.module.model.eval()
    built.module.prefix.enter(PhaseUsage(built.phases[0].trainable, {"train": 10, "val": 10}))
    return built.module.prefix


@pytest.mark.parametrize("when", ["always", "off"])
def test_features_are_those_of_plain_autocast(folder: Path, when: str) -> None:
    torch.set_num_threads(1)
    built = build(composed(f"reuse={when}", BF16, f"reuse.folder={folder / 'store'}"))
    expected = plain_features(built, "val")
    assert expected.dtype == torch.bfloat16
    model = built.module.model
    assert isinstance(model, Network)
    if when == "always":
        cache = cache_of(built)
        kept = cache.features("val")
        assert kept.dtype == torch.bfloat16
        assert torch.equal(kept, expected)
        cache.close()
        (size,) = {one.stat().st_size for one in (folder / "store").glob("*/*.npy")}
        assert size == 256 + expected.nbytes
    with torch.no_grad():
        computed = torch.cat([model.features(batch.inputs) for batch in built.data.eval_loader("val")])
    assert computed.dtype == torch.float32
    assert torch.equal(computed, expected.float())


def test_what_is_kept_decides_nothing(folder: Path) -> None:
    plain, reused = run(folder, "off", BF16), run(folder, "always", BF16)
    assert set(reused.states().values()) == {"filled"}
    same(reused, plain)
    exact = run(folder, "always", output="exact")
    assert exact.metrics != plain.metrics


def test_a_bf16_trial_is_another_and_finds_no_exact_features(folder: Path) -> None:
    exact, half = composed(), composed(BF16)
    assert locate(exact).path != locate(half).path
    assert locate(exact).path == locate(composed("reuse.precision=null")).path
    assert set(run(folder, "always", output="exact").states().values()) == {"filled"}
    assert set(run(folder, "always", BF16, output="half").states().values()) == {"filled"}
    assert set(run(folder, "always", BF16, "strategy.lr=0.02", output="half").states().values()) == {"found"}
    assert set(run(folder, "always", "strategy.lr=0.02", output="exact").states().values()) == {"found"}


def test_a_loaded_model_computes_as_it_was_tested_and_its_graph_in_full(folder: Path) -> None:
    trial = composed(BF16, "reuse=always", f"reuse.folder={folder / 'store'}")
    tlx.train(trial)
    place = locate(trial).path
    model = tlx.load(place)
    built = build(trial)
    batch = next(iter(built.data.eval_loader("test")))
    tested = [json.loads(line) for line in (place / layout.PREDICTIONS).read_text().splitlines()[: len(batch)]]
    named = ("index", "label", "prediction", "probabilities")
    assert model.task.predict(model.network, batch) == [{name: one[name] for name in named} for one in tested]
    embedded = torch.stack(model.embedding()(batch))
    assert torch.equal(embedded, plain_features(built, "test")[: len(batch)].float())
    graphs.export(model, "torch", folder / "model.pt2")
    (images,) = batch.inputs.values()
    network = model.network
    assert isinstance(network, Network)
    half = network(batch.inputs)
    network.features_dtype = None
    full = network(batch.inputs)
    given = torch.export.load(folder / "model.pt2").module()(images)
    torch.testing.assert_close(given, full, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(half, full, atol=1e-4, rtol=1e-4)


def test_a_plan_says_so() -> None:
    trial, console = composed(BF16), Console(file=io.StringIO(), width=120)
    assert isinstance(console.file, io.StringIO)
    show_choices(trial, "cpu", console)
    assert "features  bf16" in console.file.getvalue()
    exact, half = (
        plan_trial(composed("reuse=always", f"reuse.precision={precision}")).phases[0].saving
        for precision in ("null", "bf16")
    )
    assert isinstance(exact, CacheEstimate)
    assert isinstance(half, CacheEstimate)
    assert half.bytes == exact.bytes / 2


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "a backbone that trains": (("strategy=fine_tune",), "trains .* of its tensors"),
    "one that trains later": (("strategy=lp_ft",), "strategy.phases.1 trains"),
    "norms that follow": (("strategy.frozen_norm=train",), "frozen_norm"),
    "no backbone": (("backbone=pixels",), "computes nothing"),
    "bf16 anyway": (("hardware.precision=bf16-mixed",), "in 16 bits already"),
    "fp16 anyway": (("hardware.precision=16-mixed",), "in 16 bits already"),
    "64 bits": (("hardware.precision=64-true",), "keeps no features"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_where_it_cannot_hold_plan_and_train_refuse_it(case: str) -> None:
    more, message = REFUSED[case]
    for way in (outline, build):
        with pytest.raises(ConfigError, match=message) as refused:
            way(tlx.compose(words(BF16, *more)))
        assert {problem.key for problem in refused.value.problems} == {"reuse.precision"}
