"""A trial stopped after any validation goes on and ends bit for bit as if it had not been."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import tlx
from tests.backbones import bare
from tests.strategies.conftest import Linears
from tests.training.conftest import Compose
from tlx.backbones.partition.stages import stages
from tlx.columns.batch import Batch
from tlx.config.errors import WeightsError
from tlx.config.schema import Trial
from tlx.config.strategy_parts import Controller
from tlx.runs import layout
from tlx.strategies.controllers import controller
from tlx.tracking import event_log
from tlx.training import resume
from tlx.training.callbacks.controller import ControllerCallback
from tlx.training.locate import locate
from tlx.training.module import TrialModule

EVERY = ("checkpoint.every_minutes=0", "strategy.validate_every=2 steps", "strategy.budget=12 steps")
CASES = {
    "gradual_unfreezing": ("strategy.phases.1.expand.levels=3",),
    "chain_thaw": (
        "strategy.phases.1.expand.levels=2",
        "strategy.phases.1.until=50%",
        "strategy.validate_every=1 steps",
    ),
    "plateau_switch": ("strategy.validate_every=1 steps",),
    "half_ft": ("strategy.phases.0.expand.levels=3",),
    "autofreeze": ("strategy.controller.every=2 steps",),
    "egeria": ("strategy.controller.every=2 steps", "strategy.controller.patience=1"),
    "auto_rgn": ("strategy.controller.every=2 steps", "strategy.controller.batches=1", "strategy.phases.0.freeze=[]"),
    "ema": ("hardware.accumulate=2",),
    "swa": ("strategy.averaging.start=50%",),
    "greedy_soup": (),
    "wise_ft": (),
    "reinit_top": (),
    "reinit_head": (),
}
WRITTEN = {  # not a preset: what is begun anew need not train, but has to be kept
    "reinit_head": "strategy.phases=[{train: [head], reinit: ['stages[-2:]'], until: 50%}, {train: [all]}]",
}

ALIKE = ("chain_thaw", "half_ft", "swa", "greedy_soup", "wise_ft", "reinit_top")  # to others
THOROUGH = ("gradual_unfreezing", "chain_thaw")  # stopped after every validation; the others after two of them


class Stopped(KeyboardInterrupt):
    """What a person's Ctrl-C is."""


def stop_after(monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    """The next trial is stopped when this many rounds have ended."""
    whole = TrialModule.on_train_epoch_end

    def partly(self: TrialModule) -> None:
        whole(self)
        if self.state.rounds == rounds:
            raise Stopped

    monkeypatch.setattr(TrialModule, "on_train_epoch_end", partly)


def rounds_of(trial: Trial) -> int:
    rows = event_log.metrics(locate(trial).path)
    return sum("train/loss" in row["values"] for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in ALIKE else name for name in CASES]
)
def test_stopped_anywhere_it_ends_the_same(small: Compose, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    first = (WRITTEN[name], "strategy=fine_tune") if name in WRITTEN else (f"strategy={name}",)
    words = (*first, *{w.split("=")[0]: w for w in (*EVERY, *CASES[name])}.values())
    straight = small(*words, "output=straight")
    expected = tlx.train(straight)
    whole = load_file(locate(straight).path / layout.CHECKPOINT)
    count = rounds_of(straight)
    assert count >= 3
    for stop in range(1, count + 1) if name in THOROUGH else (2, count - 1):
        trial = small(*words, f"output=stopped{stop}")
        with monkeypatch.context() as patch:
            stop_after(patch, stop)
            with pytest.raises((KeyboardInterrupt, SystemExit)):
                tlx.train(trial)
        said: list[str] = []
        result = tlx.train(trial, said.append)
        assert any(line.startswith("resuming after step") for line in said), stop
        place = locate(trial).path
        state = load_file(place / layout.CHECKPOINT)
        different = [key for key in whole if not state[key].equal(whole[key])]
        assert not different, (stop, different[:3])
        assert (result.metrics, result.steps) == (expected.metrics, expected.steps), stop
        assert (place / layout.PREDICTIONS).read_bytes() == (locate(straight).path / layout.PREDICTIONS).read_bytes()
        assert not (place / resume.FILE).exists()
        rows = {row["step"]: row["values"] for row in event_log.metrics(place) if "train/loss" in row["values"]}
        assert rows == {
            row["step"]: row["values"]
            for row in event_log.metrics(locate(straight).path)
            if "train/loss" in row["values"]
        }


def stopped(small: Compose, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[Trial, Path]:
    trial = small("strategy=lp_ft", "checkpoint.every_minutes=0", *words)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            tlx.train(trial)
    return trial, locate(trial).path


def tear(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    for place in range(len(whole) // 2, len(whole) // 2 + 100):  # between its parts lie some bytes that mean nothing
        whole[place] ^= 16
    path.write_bytes(whole)


@pytest.mark.parametrize("harm", [tear, flip, Path.unlink])
def test_the_state_before_stands_in_for_a_damaged_one(
    small: Compose, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None]
) -> None:
    straight = small("strategy=lp_ft", "checkpoint.every_minutes=0", "output=straight")
    tlx.train(straight)
    expected = load_file(locate(straight).path / layout.CHECKPOINT)
    rows = event_log.metrics(locate(straight).path)
    steps = [row["step"] for row in rows if "train/loss" in row["values"]]
    trial, place = stopped(small, monkeypatch)
    harm(place / resume.FILE)
    said: list[str] = []
    tlx.train(trial, said.append)
    assert f"resuming after step {steps[0]}" in said
    assert any("passed over" in line for line in said) == (harm is not Path.unlink)
    state = load_file(place / layout.CHECKPOINT)
    assert all(state[name].equal(tensor) for name, tensor in expected.items())
    assert [row["step"] for row in event_log.metrics(place) if "train/loss" in row["values"]] == steps


def test_torn_states_are_refused_with_the_way_out(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, place = stopped(small, monkeypatch)
    for name in (resume.FILE, resume.BEFORE):
        tear(place / name)
    with pytest.raises(WeightsError, match="delete it to begin the trial anew"):
        tlx.train(trial)
    for name in (resume.FILE, resume.BEFORE):
        (place / name).unlink()
    assert tlx.train(trial).steps == 6


def test_states_are_saved_by_steps(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = small("strategy=fine_tune", "checkpoint.every_minutes=null", "checkpoint.every_steps=4")
    with monkeypatch.context() as patch:
        stop_after(patch, 3)  # at step 6; saved was step 4
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            tlx.train(trial)
    said: list[str] = []
    tlx.train(trial, said.append)
    assert "resuming after step 4" in said


def test_the_state_of_another_network_is_refused(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, _ = stopped(small, monkeypatch)
    monkeypatch.setattr("tlx.training.build.origin", lambda model, cut: "another")
    with pytest.raises(WeightsError, match="other initial weights or another cut"):
        tlx.train(trial)


def test_the_event_log_goes_on(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, place = stopped(small, monkeypatch)
    tlx.train(trial)
    events = [row["event"] for row in event_log.read(place)]
    assert (events.count("start"), events.count("end")) == (1, 2)
    assert events.index("resume") > events.index("end")
    assert not (place / "events.1.jsonl").exists()


def test_without_saving_it_begins_anew(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = small("strategy=lp_ft", "checkpoint.every_minutes=null")
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            tlx.train(trial)
    said: list[str] = []
    tlx.train(trial, said.append)
    assert not any("resuming" in line for line in said)
    assert (locate(trial).path / "events.1.jsonl").is_file()


@pytest.mark.parametrize("kind", ["autofreeze", "egeria"])
def test_what_a_controller_holds_goes_on_where_training_does(kind: str) -> None:
    """Saved states are read onto the CPU."""
    model = bare.network(Linears(), 4, 3)
    images = Batch(torch.arange(8), {"image": torch.randn(8, 4)})
    model(images.inputs).sum().backward()
    one, other = (controller(Controller(kind=kind), stages(model)) for _ in range(2))
    assert one is not None
    assert other is not None
    if kind == "egeria":
        one.decide(model, images, 1.0)
    one.observe(model, 1.0)
    ControllerCallback(other, 1).load_state_dict(one.state(), torch.device("meta"))
    held = [tensor for part in other.state().values() if isinstance(part, dict) for tensor in part.values()]
    assert held
    assert all(tensor.is_meta for tensor in held)
