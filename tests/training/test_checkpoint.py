"""What a trial leaves of its model, what is brought back from it, and that averaged weights are what they claim."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

import tlx
from tests.training.conftest import Compose, Families, State, Watch, differences, trained
from tlx.backbones.weights import content
from tlx.columns.batch import Batch
from tlx.config.errors import WeightsError
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.tracking import event_log
from tlx.training import network
from tlx.training.build import build, rebuilt
from tlx.training.locate import locate


def checkpoint(trial: Trial) -> Path:
    return locate(trial).path / layout.CHECKPOINT


def test_it_holds_what_ever_trained_and_every_buffer(small: Compose, families: Families, watch: Watch) -> None:
    """The deepest stage trains only in the middle, the stem never."""
    phases = "[{train: [head]}, {train: ['stages[-1]']}, {train: [head, 'stages[1]']}]"
    phases = phases.replace("[head]}", "[head], until: 30%}", 1).replace("[-1]']}", "[-1]'], until: 30%}")
    trial = small(*families["cnn"], "strategy=fine_tune", f"strategy.phases={phases}", "strategy.keep=last")
    built = build(trial)
    parts = ("head.", "backbone.layer4.", "backbone.layer1.")
    expected = {name for name, _ in built.module.model.named_parameters() if name.startswith(parts)}
    expected |= {name for name, _ in built.module.model.named_buffers()}
    state = trained(trial)
    assert state.keys() == expected
    assert all(torch.equal(tensor, watch.model[name]) for name, tensor in state.items())
    with safe_open(checkpoint(trial), "pt") as file:
        known = json.loads(file.metadata()["tlx"])
    assert known == {"origin": built.origin, "sum": content(state)}
    loaded = rebuilt(checkpoint(trial).parent).module.model
    assert not differences(loaded.state_dict(), watch.model)
    assert not any(module.training for module in loaded.modules())


def test_a_run_folder_that_does_not_say_what_never_trained_is_refused(small: Compose, families: Families) -> None:
    """Whatever its configuration names is not looked at."""
    trial = small(*families["cnn"], "strategy=feature_extraction")
    trained(trial)
    (checkpoint(trial).parent / layout.FROZEN).unlink()
    with pytest.raises(WeightsError, match=r"frozen\.json .* is not there"):
        network.trained(checkpoint(trial).parent)


@pytest.mark.parametrize("place", [0.5, 0.9, 0.999])
def test_a_flipped_bit_is_seen(small: Compose, place: float) -> None:
    trial = small("strategy=fine_tune")
    tlx.train(trial)
    written = bytearray(checkpoint(trial).read_bytes())
    written[int(place * len(written))] ^= 4
    checkpoint(trial).write_bytes(written)
    with pytest.raises(WeightsError, match="not what was written"):
        rebuilt(checkpoint(trial).parent)


def test_a_torn_one_is_seen(small: Compose) -> None:
    trial = small("strategy=fine_tune")
    tlx.train(trial)
    written = checkpoint(trial).read_bytes()
    checkpoint(trial).write_bytes(written[: len(written) // 2])
    with pytest.raises(WeightsError, match="cannot be read"):
        rebuilt(checkpoint(trial).parent)


def test_the_origin_is_of_weights_and_of_stages(small: Compose, families: Families) -> None:
    base = build(small(*families["cnn"], "strategy=fine_tune")).origin
    assert build(small(*families["cnn"], "strategy=lp_ft", "strategy.lr=1")).origin == base
    others = [
        build(small("strategy=fine_tune")).origin,  # random weights
        build(small(*families["cnn"], "strategy=fine_tune", "seed=1")).origin,  # another head
        build(small(*families["cnn"], "strategy=fine_tune", "strategy.partition.max_stages=2")).origin,
    ]
    assert len({base, *others}) == 4


SOURCE = """# @package _global_
# adapted
defaults:
  - override /backbone: {backbone}
  - override /strategy: {strategy}
  - override /dataset: {dataset}
  - override /tracking: none
backbone: {{{settings}}}
dataset: {{{data}}}
strategy: {{budget: 12 steps, batch_size: 16, lr: 0.05}}
hardware: {{threads: 1}}
"""


@pytest.mark.long
@pytest.mark.parametrize("family", ["cnn", "bert"])
@pytest.mark.parametrize("strategy", ["lora", "dora", "ia3"])
def test_an_adapted_trial_gives_its_merged_backbone(
    small: Compose, families: Families, folder: Path, family: str, strategy: str
) -> None:
    named = dict(word.split("=", 1) for word in families[family])
    settings = {name: named.get(f"backbone.{name}") for name in ("name", "weights")}
    text = SOURCE.format(
        backbone=named.get("backbone", "narrow_resnet"),
        strategy=strategy,
        dataset=named.get("dataset", "digits"),
        settings=", ".join(f"{name}: {value}" for name, value in settings.items() if value),
        data=f"file: {named['dataset.file']}" if family == "bert" else "shots: 4",
    )
    (folder / "experiments").mkdir()
    (folder / "experiments" / "adapted.yaml").write_text(text)
    source = tlx.compose(["experiment=adapted"])
    tlx.train(source)
    words = [word for word in families[family] if not word.startswith("backbone.weights")]
    target = small(*words, "strategy=feature_extraction", "backbone.weights=trial:adapted")
    adapted, merged = rebuilt(locate(source).path).module, build(target).module
    assert not any("lora" in name or "ia3" in name for name in merged.model.state_dict())
    batch = next(iter(adapted.data.eval_loader("val")))
    plain = build(small(*families[family], "strategy=feature_extraction")).module.model
    with torch.no_grad():
        one, two, start = (features(model, batch) for model in (adapted.model, merged.model, plain))
    torch.testing.assert_close(two, one, rtol=1e-5, atol=1e-5)
    assert float((start - one).abs().max()) > 1e-3  # it had learnt something


def features(model: nn.Module, batch: Batch) -> Tensor:
    found: Tensor = model.eval().features(batch.inputs)  # type: ignore[operator]
    return found


AVERAGED = ("strategy.budget=12 steps", "strategy.validate_every=2 steps", "strategy.keep=last", "strategy.lr=0.05")


def parameters(watch: Watch, state: State) -> State:
    assert watch.learner is not None
    return {name: state[name].double() for name, _ in watch.learner.model.named_parameters()}


def test_ema_is_the_sum_of_its_definition(small: Compose, families: Families, watch: Watch) -> None:
    """Each step's weights times the share kept since; the decay is (1 + t) / (10 + t), at most 0.3."""
    state = trained(small(*families["cnn"], "strategy=ema", *AVERAGED, "strategy.averaging.decay=0.3"))
    decays = [min(0.3, (1 + t) / (10 + t)) for t in range(12)]
    shares = [1 - decay for decay in decays]
    shares[0] = 1.0  # it starts at the first step's weights
    weights = [shares[i] * float(torch.tensor(decays[i + 1 :], dtype=torch.float64).prod()) for i in range(12)]
    assert sum(weights) == pytest.approx(1)
    steps = [parameters(watch, step.after) for step in watch.steps]
    mean = {name: sum(w * step[name] for w, step in zip(weights, steps, strict=True)) for name in steps[0]}
    assert not differences({name: torch.as_tensor(mean[name]) for name in mean}, parameters(watch, state), 1e-6)


def test_swa_is_the_mean_of_the_last_validations(small: Compose, families: Families, watch: Watch) -> None:
    """And its norms' statistics are of the training batches under these weights, whatever is evaluated at once."""
    evaluated = "dataset.eval_batch_size=7"
    trial = small(*families["cnn"], "strategy=swa", *AVERAGED, "strategy.averaging.start=50%", evaluated)
    state = trained(trial)
    steps = [parameters(watch, watch.steps[number - 1].after) for number in (6, 8, 10, 12)]
    mean = {name: torch.stack([step[name] for step in steps]).mean(0) for name in steps[0]}
    assert not differences(mean, parameters(watch, state), 1e-6)
    assert not differences(with_torchs_statistics(trial, state), state, 1e-6)


def with_torchs_statistics(trial: Trial, state: State) -> State:
    """These weights, with what torch's ``update_bn`` gives for the shuffled, augmented batches of the first epoch."""
    built = build(trial)
    model, examples = built.module.model, built.data.examples["train"]
    model.load_state_dict(state)
    order = np.random.default_rng([trial.seed, 0]).permutation(len(examples)).tolist()
    size = trial.strategy.batch_size
    assert len(order) % size in (0, *range(8, size))  # no remainder that joins the batch before
    cuts = [order[at : at + size] for at in range(0, len(order), size)]
    update_bn([examples.__getitems__([(0, i) for i in cut]) for cut in cuts], Reading(model))
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


class Reading(nn.Module):
    """A network that takes batches."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        """Its outputs."""
        found: Tensor = self.model(batch.inputs)
        return found


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("ema", ["strategy.averaging.decay=0.3", "strategy.keep=best"]),
        ("wise_ft", ["strategy.averaging.alphas=[0.5]"]),
    ],
)
def test_other_averages_get_statistics_of_their_own_if_asked_to(
    small: Compose, families: Families, strategy: str, words: list[str]
) -> None:
    """And validation is of them; by default statistics are those that training left."""
    named = {word.split("=")[0] for word in words}
    short = [word for word in AVERAGED if word.split("=")[0] not in {*named, "strategy.budget"}]
    augmented = ("strategy.budget=4 steps", "dataset.augment=shift", "strategy.averaging.norms=refresh")
    trial = small(*families["cnn"], f"strategy={strategy}", *short, *augmented, *words)
    result = tlx.train(trial)
    state = load_file(checkpoint(trial))
    assert not differences(with_torchs_statistics(trial, state), state, 1e-6)
    built = rebuilt(locate(trial).path)
    metrics = built.module.task.metrics()
    with torch.no_grad():
        for batch in built.data.eval_loader("val"):
            built.module.task.eval_step(built.module.model, batch, metrics)
    values = {f"val/{name}": value for name, value in built.module.task.compute(metrics).items()}
    assert {name: result.metrics[name] for name in values} == pytest.approx(values, rel=1e-5)


def test_a_uniform_soup_is_the_mean_of_the_three_best(small: Compose, families: Families, watch: Watch) -> None:
    trial = small(*families["cnn"], "strategy=uniform_soup", *AVERAGED)
    state = trained(trial)
    rows = [row for row in event_log.metrics(locate(trial).path) if "train/loss" in row["values"]]
    ranked = sorted(rows, key=lambda row: (row["values"]["val/acc"], row["step"]), reverse=True)
    best = [row["step"] for row in ranked[:3]]
    assert sorted(best) != [8, 10, 12]  # else the last three would do as well
    steps = [watch.steps[number - 1].after for number in best]
    floats = [name for name in state if state[name].is_floating_point()]  # statistics of norms too
    mean = {name: torch.stack([step[name].double() for step in steps]).mean(0) for name in floats}
    assert not differences(mean, {name: state[name] for name in floats}, 1e-6)


def test_wise_ft_lies_on_the_line(small: Compose, families: Families, watch: Watch) -> None:
    """From the trained head on the pretrained body to the end, at the share that validated best."""
    trial = small(*families["cnn"], "strategy=wise_ft", *AVERAGED, "strategy.averaging.alphas=[0.25,0.5,0.75]")
    state = trained(trial)
    rows = list(event_log.read(locate(trial).path))
    (share,) = (row["alpha"] for row in rows if row["event"] == "averaging")
    assert share in (0.25, 0.5, 0.75)
    start = next(step.before for step in watch.steps if step.phase == 1)
    floats = [name for name in state if state[name].is_floating_point()]
    line = {name: (1 - share) * start[name].double() + share * watch.steps[-1].after[name].double() for name in floats}
    assert not differences(line, {name: state[name] for name in floats}, 1e-6)
