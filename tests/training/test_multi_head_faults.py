"""Heads trained together when something is in the way: failures, damage, other processes, interruptions."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tlx
from tests.training.conftest import Compose, Families
from tests.training.heads import (
    ALLOWED,
    BASE,
    alone,
    made,
    run,
    same_records,
    silent,
)
from tests.training.test_resume import stop_after
from tlx.feature_cache.entry import CorruptEntryError
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs.lock import Busy
from tlx.tracking import event_log
from tlx.training.head_trials import NotBatchable
from tlx.training.locate import locate
from tlx.training.multi_head import train_together


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_an_entry_found_damaged_midway_is_not_found_again(
    small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Large entries are compared with their checksums as they are read; whoever finds one damaged discards it."""
    monkeypatch.setattr("tlx.feature_cache.features._MEMORY", 0)
    monkeypatch.setattr("tlx.feature_cache.entry.BLOCK", 1 << 12)
    monkeypatch.setattr("tlx.feature_cache.features.BLOCK", 1 << 12)
    words = ("dataset.shots=12", f"reuse.folder={Path.cwd() / 'store'}")
    run(made(small, families, *words, names=("plain",)))
    count = {"train": 120, "val": 200, "test": 897}[name]
    (file,) = [file for file in Path("store").glob("*/*.npy") if np.load(file, mmap_mode="r").shape == (count, 128)]
    content = bytearray(file.read_bytes())
    content[-40] ^= 1
    file.write_bytes(content)
    trials = made(small, families, *words, names=("decay", "smooth"))
    with suppress(CorruptEntryError):
        train_together(trials, [silent] * 2)
    for trial, result in zip(trials, run(trials), strict=True):
        assert result is not None
        assert result.metrics == pytest.approx(alone(trial)[0].metrics, rel=ALLOWED, abs=ALLOWED)


def test_one_that_diverges_fails_alone(small: Compose, families: Families) -> None:
    names = ("plain", "decay", "threshold")
    trials = made(small, families, names=names)
    trials.insert(1, made(small, families, "strategy.lr=1e30", names=("plain",))[0])
    train_together(trials, [silent] * 4)
    places = [locate(trial) for trial in trials]
    assert [place.result() is None for place in places] == [False, True, False, False]
    (end,) = [row for row in event_log.read(places[1].path) if row["event"] == "end"]
    assert end["status"] == "FAILED"
    with pytest.raises(FloatingPointError) as caught:
        alone(trials[1])
    assert end["reason"] == f"FloatingPointError: {caught.value}"
    steps = [row["step"] for row in event_log.metrics(places[1].path)]
    other = locate(replace(trials[1], output="alone", reuse=replace(trials[1].reuse, when="off"))).path
    assert steps == [row["step"] for row in event_log.metrics(other)]
    assert not (places[1].path / layout.CHECKPOINT).exists()
    for number in (0, 2, 3):
        result = places[number].result()
        assert result is not None
        same_records(trials[number], result)
        assert list(event_log.read(places[number].path))[-1]["status"] == "FINISHED"


def test_what_is_finished_is_left_alone(small: Compose, families: Families) -> None:
    trials = made(small, families, names=("plain", "decay", "seed"))
    tlx.train(trials[1])
    place = locate(trials[1]).path
    before = {file.name: file.read_bytes() for file in place.iterdir() if file.name != "lock"}
    results = run(trials)
    assert {file.name: file.read_bytes() for file in place.iterdir() if file.name != "lock"} == before
    assert all(result is not None for result in results)
    shared = [row for row in event_log.read(locate(trials[0]).path) if row["event"] == "together"]
    assert [row["trials"] for row in shared] == [2]
    again = {place: place.stat().st_mtime_ns for place in Path("runs").glob("*/*") if place.name != "lock"}
    assert run(trials) == results
    assert {place: place.stat().st_mtime_ns for place in Path("runs").glob("*/*") if place.name != "lock"} == again


def test_nothing_is_begun_while_another_process_runs_one(small: Compose, families: Families) -> None:
    trials = made(small, families, names=("plain", "decay"))
    place = locate(trials[1])
    program = (
        "import sys; from pathlib import Path; from tlx.runs.lock import locked\n"
        "with locked(Path(sys.argv[1]), 'mine'): print('held', flush=True); sys.stdin.read()"
    )
    held = subprocess.Popen(
        [sys.executable, "-c", program, str(place.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert held.stdout is not None
        assert held.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=f"process {held.pid}"):
            train_together(trials, [silent] * 2)
    finally:
        held.communicate("")
    assert not list(Path("runs").glob("*/events*"))
    assert all(result is not None for result in run(trials))  # the locks of both are free again


def test_examples_of_several_labels_are_not_for_it(small: Compose, families: Families, folder: Path) -> None:
    with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [[f"words and words {i}", "abc"[i % 3] + ";" + "bca"[i % 2 + i % 3 - 1]] for i in range(80)]
        csv.writer(stream).writerows([["text", "label"], *rows])
    data = ("dataset.file=texts.csv", "dataset.label_separator=';'", "dataset.shots=null")
    words = [word for word in families["bert"] if not word.startswith(("dataset.file", "dataset.shots"))]
    strategy = ("strategy=feature_extraction", "reuse=always")
    trials = [small(*words, *data, *strategy, f"strategy.lr={lr}") for lr in (0.1, 0.01)]
    with pytest.raises(NotBatchable, match="not known side by side"):
        train_together(trials, [silent] * 2)
    assert not list(Path("runs").glob("*/events*"))


@pytest.mark.parametrize("words", [("backbone=pixels",), ("reuse=auto", "dataset.shots=2", "strategy.budget=2 steps")])
def test_without_kept_features_nothing_is_begun(small: Compose, families: Families, words: tuple[str, ...]) -> None:
    """Pixels are features already; of few examples and passes nothing is worth keeping."""
    backbone = () if "backbone=pixels" in words else families["cnn"]
    base = {word.split("=")[0]: word for word in (*BASE, *words)}
    trials = [small(*backbone, *base.values(), f"strategy.keep={keep}") for keep in ("best", "last")]
    with pytest.raises(NotBatchable, match="not kept"):
        train_together(trials, [silent] * 2)
    assert not list(Path("runs").glob("*/events*"))


def test_one_that_goes_on_from_a_saved_state_goes_on_alone(
    small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = made(small, families, "checkpoint.every_minutes=0", names=("plain", "decay"))
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            tlx.train(trials[1])
    place = locate(trials[1]).path
    before = (place / event_log.FILE).read_bytes()
    with pytest.raises(NotBatchable, match="saved state"):
        train_together(trials, [silent] * 2)
    assert (place / event_log.FILE).read_bytes() == before
    assert not (locate(trials[0]).path / event_log.FILE).exists()
    said: list[str] = []
    tlx.train(trials[1], said.append)
    assert any(line.startswith("resuming after step 4") for line in said)


KILLED = """
import os, signal, sys
from pathlib import Path
from tlx.runs import folder as folders
from tlx.training.multi_head import train_together
from tlx.training.module import TrialModule

whole = TrialModule.end_round

def end_round(self, loss, rates):
    whole(self, loss, rates)
    if self.state.step == 6 and self.events.path.parent == Path(sys.argv[2]).resolve():
        os.kill(os.getpid(), signal.SIGKILL)

TrialModule.end_round = end_round
trials = [folders.read_config(Path(word)) for word in sys.argv[1:]]
train_together(trials, [print] * len(trials))
"""


@pytest.mark.long
def test_killed_in_the_middle_they_begin_anew(small: Compose, families: Families, folder: Path) -> None:
    trials = made(small, families, names=("plain", "decay", "threshold"))
    places = [locate(trial) for trial in trials]
    for trial, place in zip(trials, places, strict=True):
        place.path.mkdir(parents=True)
        folders.write_config(place.path, trial)
    (folder / "program.py").write_text(KILLED)
    words = [sys.executable, "program.py", *(str(place.path) for place in places)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    torn = [[row["step"] for row in event_log.metrics(place.path)] for place in places]
    assert torn[0] == [0, 2, 4, 6]
    assert torn[2][-1] <= 4  # the second was killed in the round
    assert all(place.result() is None and not place.is_busy() for place in places)
    results = run(trials)
    for trial, place, result in zip(trials, places, results, strict=True):
        assert result is not None
        assert (place.path / "events.1.jsonl").is_file()
        (place.path / "events.1.jsonl").unlink()
        same_records(trial, result)


def test_what_goes_wrong_with_all_is_in_the_event_log_of_each(
    small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = made(small, families, names=("plain", "threshold"))

    def fails(*args: object) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("tlx.training.multi_head._conclude", fails)
        with pytest.raises(RuntimeError, match="disk"):
            train_together(trials, [silent] * 2)
    for trial in trials:
        end = list(event_log.read(locate(trial).path))[-1]
        assert (end["event"], end["status"], end["reason"]) == ("end", "FAILED", "RuntimeError: the disk is gone")
        assert "Traceback" in end["traceback"]
    assert all(result is not None for result in run(trials))
