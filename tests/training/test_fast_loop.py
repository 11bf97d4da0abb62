"""The fast loop is Lightning's, bit for bit; over kept features it is the network's own, up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from safetensors.torch import load_file

import tlx
from tests.training.conftest import Compose, Families, State, differences
from tests.training.test_resume import rounds_of, stop_after
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.runs.result import Result
from tlx.tracking import event_log
from tlx.training import fast_loop, resume
from tlx.training.build import TrialComponents, build
from tlx.training.locate import locate
from tlx.training.module import TrialModule

BASE = (
    "reuse=always",
    "strategy.lr=0.02",
    "backbone.dropout=0.2",
    "strategy.batch_size=20",
    "strategy.budget=12 steps",
)
HEAD = "{train: [head], until: 50%}"
TWO = f"strategy.phases=[{HEAD}, {{train: [all]}}]"
CASES: dict[str, tuple[str, ...]] = {
    "feature_extraction": ("strategy=feature_extraction",),
    "lp_ft": ("strategy=lp_ft", "strategy.phases.0.plateau.patience=2"),
    "plateau_switch": ("strategy=plateau_switch", "strategy.validate_every=1 steps", "strategy.phases.0.until=60%"),
    "head twice": (
        "strategy=fine_tune",
        f"strategy.phases=[{HEAD}, {{train: [head], lr_scale: 0.1, optimizer_state: reset, restore: best}}]",
    ),
    "back to the head": (
        "strategy=fine_tune",
        "strategy.phases=[{train: [all], until: 33%}, {train: [head], until: 33%}, {train: [all]}]",
    ),
    "state kept": ("strategy=fine_tune", TWO, "strategy.optimizer.name=adam"),
    "sgd": ("strategy=fine_tune", TWO, "strategy.optimizer.name=sgd", "strategy.keep=last"),
    "ema": ("strategy=ema", TWO, "strategy.averaging.decay=0.8"),
    "swa": ("strategy=swa", TWO, "strategy.averaging.start=20%"),
    "greedy_soup": ("strategy=greedy_soup", TWO),
    "wise_ft": ("strategy=wise_ft", TWO),
    "clip": ("strategy=fine_tune", TWO, "strategy.clip=0.05"),
    "l2_sp": ("strategy=l2_sp", TWO),
    "auto_rgn": ("strategy=auto_rgn", TWO, "strategy.controller.every=2 steps", "strategy.controller.batches=1"),
    "autofreeze": ("strategy=autofreeze", TWO, "strategy.controller.every=2 steps"),
    "bf16": ("strategy=lp_ft", "hardware.precision=bf16-mixed"),
}
ALIKE = ("head twice", "state kept", "sgd", "swa", "greedy_soup", "wise_ft", "l2_sp", "auto_rgn")  # to others


@pytest.fixture
def make(small: Compose, families: Families) -> Callable[..., Trial]:
    """A trial of the small CNN, with dropout before its features where everything trains."""

    def made(*words: str) -> Trial:
        named = {word.split("=")[0]: word for word in (*families["cnn"], *BASE, *words)}
        first = [word for key, word in named.items() if "." not in key]
        return small(*first, *(word for key, word in named.items() if "." in key))

    return made


class Seen:
    """Of the trial that was run last: the optimizer at every end of a fit, and how many fits were lean."""

    def __init__(self) -> None:
        self.optimizers: list[dict[str, Any]] = []
        self.lean = self.usual = 0
        self.random: torch.Tensor | None = None
        self.model: State = {}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()
    over, fit, usual = TrialModule.on_train_end, fast_loop.fit, Trainer.fit

    def built(trial: Trial) -> TrialComponents:
        found.__init__()  # type: ignore[misc]
        return build(trial)

    def at_the_end(self: TrialModule) -> None:
        over(self)
        assert self.state.optimizer is not None
        found.optimizers.append(copied(self.state.optimizer))
        found.random = torch.get_rng_state()
        found.model = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def leanly(learner: TrialModule, trainer: Trainer) -> None:
        found.lean += 1
        fit(learner, trainer)

    def usually(self: Trainer, learner: TrialModule) -> None:
        found.usual += 1
        usual(self, learner)

    monkeypatch.setattr("tlx.training.runner.build", built)
    monkeypatch.setattr(TrialModule, "on_train_end", at_the_end)
    monkeypatch.setattr(fast_loop, "fit", leanly)
    monkeypatch.setattr(Trainer, "fit", usually)
    return found


def copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {name: copied(one) for name, one in value.items()}
    return [copied(one) for one in value] if isinstance(value, (list, tuple)) else value


def same(one: Any, other: Any) -> bool:
    """Equal bit for bit, tensors inside included."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def rows(place: Path) -> list[Any]:
    return [(row["step"], row["epoch"], list(row["values"].items())) for row in event_log.metrics(place)]


def place_of(trial: Trial) -> Path:
    return locate(trial).path


def without(monkeypatch: pytest.MonkeyPatch, trial: Trial) -> Result:
    """The trial by Lightning's loop, on the same kept features."""

    def fits(learner: TrialModule, trainer: Trainer) -> bool:
        learner.to(trainer.strategy.root_device)
        return False

    with monkeypatch.context() as patch:
        patch.setattr(fast_loop, "fits", fits)
        return tlx.train(trial)


def same_end(trial: Trial, result: Result, other: Trial, expected: Result) -> None:
    place, reference = place_of(trial), place_of(other)
    assert replace(result, cpu_seconds=0, wall_seconds=0) == replace(expected, cpu_seconds=0, wall_seconds=0)
    assert rows(place) == rows(reference)
    assert not differences(load_file(place / layout.CHECKPOINT), load_file(reference / layout.CHECKPOINT))
    assert (place / layout.PREDICTIONS).read_bytes() == (reference / layout.PREDICTIONS).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in ALIKE else name for name in CASES]
)
def test_it_is_lightnings_loop(
    make: Callable[..., Trial], seen: Seen, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    trial, other, off = (make(*CASES[name], *more) for more in ((), ("output=usual",), ("reuse=off", "output=off")))
    result = tlx.train(trial)
    assert seen.lean > 0
    fits, optimizers, random, model = seen.lean + seen.usual, seen.optimizers, seen.random, seen.model
    expected = without(monkeypatch, other)
    assert (seen.lean, seen.usual) == (0, fits)
    same_end(trial, result, other, expected)
    assert len(optimizers) == fits
    assert same(optimizers, seen.optimizers)
    assert not differences(model, seen.model)
    assert random is not None
    assert seen.random is not None
    assert torch.equal(random, seen.random)  # dropout goes on from there
    events = [[row["event"] for row in event_log.read(place_of(one))] for one in (trial, other)]
    assert events[0] == events[1]

    expected = without(monkeypatch, off)
    assert (seen.lean, seen.usual) == (0, fits)
    if name == "bf16":  # features of another batch are rounded otherwise
        return
    same_end(trial, result, off, expected)
    assert same(optimizers, seen.optimizers)


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        ("strategy=fine_tune",),
        ("strategy=feature_extraction", "reuse=off"),
        ("strategy=feature_extraction", "strategy.frozen_norm=train"),
        ("strategy=feature_extraction", "dataset.augment=shift"),
        ("strategy=fine_tune", "hardware.workers=2", "dataset.augment=flip_crop"),
        ("strategy=top_k",),
        ("strategy=egeria", "strategy.controller.every=2 steps", "strategy.controller.patience=1"),
        ("strategy=fine_tune", "hardware.gradient_checkpointing=true"),
    ],
    ids=" ".join,
)
def test_of_whole_networks_it_is_lightnings_loop(
    make: Callable[..., Trial], seen: Seen, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    trial, other = make(*words), make(*words, "output=usual")
    if "hardware.gradient_checkpointing=true" in words:  # norms that follow the data would see each batch twice
        frozen = "strategy.phases=[{train: ['re:weight'], freeze: [norm]}]"
        trial, other = make(*words, frozen), make(*words, frozen, "output=usual")
    result = tlx.train(trial)
    assert (seen.lean > 0, seen.usual) == (True, 0)
    optimizers, random, model = seen.optimizers, seen.random, seen.model
    expected = without(monkeypatch, other)
    assert (seen.lean, seen.usual > 0) == (0, True)
    same_end(trial, result, other, expected)
    assert same(optimizers, seen.optimizers)
    assert not differences(model, seen.model)
    assert random is not None
    assert seen.random is not None
    assert torch.equal(random, seen.random)


@pytest.mark.parametrize("words", [("hardware.accumulate=2",), ("hardware.precision=64-true",)], ids=" ".join)
def test_where_it_does_not_fit_it_is_not_used(make: Callable[..., Trial], seen: Seen, words: tuple[str, ...]) -> None:
    tlx.train(make("strategy=feature_extraction", *words))
    assert (seen.lean, seen.usual) == (0, 1)


STOPPED = ("lp_ft", "ema", "autofreeze")


@pytest.mark.long
@pytest.mark.parametrize("name", STOPPED)
def test_stopped_anywhere_it_ends_the_same(
    make: Callable[..., Trial], seen: Seen, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also where it goes on by the other loop."""
    words = (*CASES[name], "checkpoint.every_minutes=0", "strategy.validate_every=1 steps")
    straight = make(*words, "output=straight")
    expected = tlx.train(straight)
    optimizer, count = seen.optimizers[-1], rounds_of(straight)
    for stop in (1, 3, 5, count - 1):
        for usual in (False, True):
            trial = make(*words, f"output=stopped{stop}{usual}")
            with monkeypatch.context() as patch:
                stop_after(patch, stop)
                with pytest.raises((KeyboardInterrupt, SystemExit)):
                    tlx.train(trial)
            assert (place_of(trial) / resume.FILE).is_file()
            result = without(monkeypatch, trial) if usual else tlx.train(trial)
            assert any(row["event"] == "resume" for row in event_log.read(place_of(trial)))
            assert replace(result, cpu_seconds=0, wall_seconds=0) == replace(expected, cpu_seconds=0, wall_seconds=0)
            ours, theirs = (load_file(place_of(one) / layout.CHECKPOINT) for one in (trial, straight))
            assert not differences(ours, theirs), (stop, usual)
            assert same(seen.optimizers[-1], optimizer), (stop, usual)
            found = {row[0]: row for row in rows(place_of(trial)) if "train/loss" in dict(row[2])}
            assert list(found.values()) == [row for row in rows(place_of(straight)) if "train/loss" in dict(row[2])]


def test_a_person_can_stop_it(make: Callable[..., Trial], seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = make(*CASES["feature_extraction"])
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            tlx.train(trial)
    assert seen.lean == 1
    end = list(event_log.read(place_of(trial)))[-1]
    assert (end["event"], end["status"]) == ("end", "KILLED")


def test_numbers_that_are_none_end_it_with_the_reason(make: Callable[..., Trial], seen: Seen) -> None:
    trial = make(*CASES["feature_extraction"], "strategy.lr=1e30")
    with pytest.raises(FloatingPointError, match="try a smaller"):
        tlx.train(trial)
    assert seen.lean == 1
    assert "FloatingPointError" in list(event_log.read(place_of(trial)))[-1]["reason"]


@pytest.mark.long
@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_other_precisions_reuse_too(make: Callable[..., Trial], precision: str) -> None:
    """What is kept is computed in the trial's own precision, or nothing is kept; either way it ends as without."""
    words = (*CASES["lp_ft"], f"hardware.precision={precision}")
    ours, theirs = (tlx.train(make(*words, f"reuse={when}", f"output={when}")) for when in ("always", "off"))
    allowed = 1e-12 if precision == "64-true" else 0.05
    assert ours.metrics == pytest.approx(theirs.metrics, rel=allowed, abs=allowed)
