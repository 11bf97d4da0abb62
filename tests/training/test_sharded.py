"""FSDP2: a sharded trial thaws as a whole one does, leaves the same checkpoint, and refuses what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import tlx
from tests.training.conftest import PHASES, Compose, Families, Watch, differences, run_program, said, trained
from tlx.config.errors import ConfigError
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.training.build import build, rebuilt
from tlx.training.hardware_options import apply_hardware_options
from tlx.training.locate import locate

SHARDED = ("hardware=ddp_cpu", "hardware.distributed=fsdp")
SGD = ("strategy.optimizer.name=sgd", "+strategy.optimizer.args.fused=false")


@pytest.mark.long
def test_shards_thaw_as_one_process_does(small: Compose, families: Families, watch: Watch) -> None:
    """After every phase; restoring the best and forgetting the optimizer's state on the way."""
    phases = "[{train: [head], until: 4 steps}, {train: ['stages[-2:]', head], until: 4 steps, restore: best},"
    phases += "{train: [all], optimizer_state: reset}]"
    words = (*families["vit"], "strategy=gradual_unfreezing", f"strategy.phases={phases}", "strategy.lr=0.05")
    words = (*words, *SGD, "strategy.budget=12 steps")
    alone = small(*words, "output=one")
    expected = trained(alone)
    run_program(Path.cwd(), PHASES, *said(small, *words, *SHARDED, "output=two"))
    one, two = (torch.load(f"phases-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert len(one) == len(two) == len(watch.ends) == 3
    for first, second, whole in zip(one, two, watch.ends, strict=True):
        assert not differences(first, second)
        assert not differences(first, whole, 1e-5)
    (checkpoint,) = Path("two").glob("*/checkpoint.safetensors")
    assert not differences(load_file(checkpoint), expected, 1e-5)
    with (
        safe_open(checkpoint, "pt") as sharded,
        safe_open(locate(alone).path / layout.CHECKPOINT, "pt") as own,
    ):
        origins = [json.loads(file.metadata()["tlx"])["origin"] for file in (sharded, own)]
        assert origins[0] == origins[1]
    model = rebuilt(checkpoint.parent).module.model.state_dict()
    assert all(torch.equal(model[name], tensor) for name, tensor in load_file(checkpoint).items())


@pytest.mark.long
def test_gradual_unfreezing_in_shards(small: Compose, families: Families, watch: Watch) -> None:
    """With the optimizer as a person would name it."""
    words = (*families["vit"], "strategy=gradual_unfreezing", "strategy.phases.1.expand.levels=3", "strategy.keep=last")
    words = (*words, "strategy.optimizer.name=sgd", "strategy.lr=0.05", "strategy.budget=12 steps")
    tlx.train(small(*words, "output=one"))
    run_program(Path.cwd(), PHASES, *said(small, *words, *SHARDED, "output=two"))
    one, two = (torch.load(f"phases-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert len(one) == len(two) == len(watch.ends) == 4
    for first, second, whole in zip(one, two, watch.ends, strict=True):
        assert not differences(first, second)
        assert not differences(first, whole, 1e-5)


def prepare(trial: Trial) -> None:
    """What happens before any process is started (of which a test that is not refused would start one)."""
    apply_hardware_options(trial, build(trial))


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("strategy=fine_tune", "strategy.clip=1.0"), "strategy.clip"),
        (("strategy=l2_sp",), "strategy.regulariser.kind"),
        (("strategy=bss",), "strategy.regulariser.kind"),
        (("strategy=delta",), "strategy.regulariser.kind"),
        (("strategy=autofreeze",), "strategy.controller.kind"),  # each process would decide by its shards
    ],
)
def test_what_shards_cannot_do_is_refused(small: Compose, families: Families, words: tuple[str, ...], key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        prepare(small(*families["vit"], *words, *SHARDED))
    assert [problem.key for problem in refused.value.problems] == [key]


def test_a_norm_that_would_differ_between_shards_is_refused(small: Compose, families: Families) -> None:
    with pytest.raises(ConfigError, match="sync_batchnorm on GPUs"):
        prepare(small(*families["cnn"], "strategy=fine_tune", *SHARDED))
    prepare(small(*families["cnn"], "strategy=feature_extraction", *SHARDED))  # here it stands still
