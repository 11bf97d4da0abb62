"""What a sweep shows while it runs: counts, running trials with their step, the best so far, the time left."""

from __future__ import annotations

import io
import re
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from tests.conftest import Said
from tlx.orchestration.progress import SweepProgress
from tlx.orchestration.trial_progress import TrialProgress, duration
from tlx.runs.metric import Metric
from tlx.runs.result import Result
from tlx.tracking.event_log import EventLog

ACCURACY = Metric("acc", "accuracy", "max", percent=True)


def console(*, terminal: bool) -> Console:
    """One that writes into memory."""
    return Console(file=io.StringIO(), force_terminal=terminal, width=300, force_interactive=terminal)


def printed(where: Console) -> str:
    """Without colours and movements."""
    assert isinstance(where.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", where.file.getvalue())


@pytest.mark.parametrize("terminal", [False, True])
def test_running_trials_and_the_best(folder: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(SweepProgress, "_LOOK", -1.0)
    monkeypatch.setattr(SweepProgress, "_PLAIN_PERIOD", -1.0)
    where = console(terminal=terminal)
    clock = [100.0]
    monkeypatch.setattr("tlx.orchestration.progress.time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    with SweepProgress(where, "rates", 4) as progress:
        progress.started("a", "lr=0.1", folder / "a")
        progress.started("b", "lr=0.2", folder / "b")
        (folder / "b").mkdir()
        log = EventLog(folder / "b")
        log.begin(kind="train", metric=asdict(ACCURACY))
        log.write("phase", number=1, name="head", start=0, stop=50, total=50, rates={})
        log.write("metrics", step=25, epoch=1.0, values={"val/acc": 0.75, "val/loss": 0.5})
        clock[0] += 30
        progress.tick()
        progress.bar.refresh()
        assert progress.left() == "~210 s left"  # an eighth of four trials took 30 s
        progress.ended("a", "", Result("a", "a", "a", {"val/acc": 0.9}, 50, 1, 1, 1.0, 1.0, ACCURACY))
        progress.ended("b", "failed", None)
        assert progress.left() == "~30 s left"
        progress.bar.refresh()
    shown = printed(where)
    assert "25/50" in shown
    assert "val/acc 0.75" in shown
    assert "best val/acc 0.9 (lr=0.1)" in shown
    assert "2/4" in shown
    if not terminal:
        assert "1 failed" in shown
        assert "running lr=0.2 25/50" in shown


def test_what_an_earlier_attempt_left_is_not_how_far_this_one_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SweepProgress, "_LOOK", -1.0)
    (folder / "a").mkdir()
    log = EventLog(folder / "a")
    log.begin(kind="train", metric=asdict(ACCURACY))
    log.write("phase", number=1, name="head", start=0, stop=50, total=50, rates={})
    log.write("metrics", step=49, epoch=1.0, values={"val/acc": 0.99})
    monkeypatch.setattr("tlx.orchestration.progress.time", SimpleNamespace(monotonic=time.monotonic, time=lambda: 1e12))
    progress = SweepProgress(console(terminal=False), "rates", 2)
    progress.started("a", "lr=0.1", folder / "a")
    progress.tick()
    assert progress.left() == ""
    assert progress.best is None


def test_a_trial_shows_phase_step_loss_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    where = console(terminal=False)
    clock = [0.0]
    monkeypatch.setattr("tlx.orchestration.trial_progress.time", SimpleNamespace(monotonic=lambda: clock[0]))
    with TrialProgress(where) as progress:
        progress.metric = "acc"
        progress.phase(1, 2, "head", 50, 100)
        progress.step(10)  # it goes on from a saved state
        progress.metrics({"train/loss": 0.5, "val/acc": 0.25, "optim/lr-head": 0.1, "val/loss": None})
        for step in range(11, 31):
            clock[0] += 2.0
            progress.step(step)
    assert printed(where) == "step 26/100  phase 1/2 head  train/loss 0.5  val/acc 0.25  ~2 min left\n"


def test_a_trial_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    where = console(terminal=True)
    monkeypatch.setattr("tlx.orchestration.trial_progress._REDRAWN", -1.0)
    with TrialProgress(where) as progress:
        progress.metric = "acc"
        progress.phase(2, 2, "all", 100, 100)
        progress.step(60)
        progress.metrics({"val/acc": 0.5})
        progress.bar.refresh()
    shown = printed(where)
    assert "phase 2/2 all" in shown
    assert "60/100" in shown
    assert "val/acc 0.5" in shown


def test_durations() -> None:
    assert [duration(seconds) for seconds in (4.4, 99, 600, 7200)] == ["4 s", "99 s", "10 min", "2.0 h"]


def test_it_is_told_of_every_step(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    monkeypatch.setattr(TrialProgress, "step", lambda self, step: seen.append((self.title, step)))
    words = ("backbone=pixels", "dataset=digits", "strategy=feature_extraction", "strategy.budget=5 steps")
    said("train", *words, "tracking=none")
    assert seen == [("phase 1/1 all", step) for step in (1, 2, 3, 4, 5)]
