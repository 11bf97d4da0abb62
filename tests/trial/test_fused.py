"""Heads trained together are the trials they would have been alone: numbers, records, failures, interruptions."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import tlx
from tests.trial.conftest import Compose, Families, differences
from tests.trial.test_resume import stop_after
from tlx.config.schema import Trial
from tlx.reuse.entry import Damaged
from tlx.sweep import fusing
from tlx.tracking import journal
from tlx.trial import folder as folders
from tlx.trial.folder import Result
from tlx.trial.fused import NotTogether, train_together
from tlx.trial.lock import Busy

BASE = (
    "strategy=feature_extraction",
    "reuse=always",
    "task=image_classification",
    "dataset.shots_seed=0",
    "strategy.budget=24 steps",
    "strategy.lr=0.02",
)
TRIALS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "decay": ("strategy.optimizer.weight_decay=2", "strategy.lr=0.1", "strategy.keep=last"),
    "seed": ("seed=7", "strategy.schedule.shape=one_cycle"),
    "smooth": ("task.label_smoothing=0.3", "strategy.schedule.warmup=40%"),
    "plateau": ("seed=3", "strategy.lr=0.3", "strategy.phases.0.plateau={patience: 1, monitor: loss}"),
    "threshold": ("strategy.phases.0.threshold={monitor: acc, value: 0.3}", "strategy.phases.0.lr_scale=0.5"),
    "patient": ("strategy.phases.0.plateau={patience: 2, min_delta: 0.02}", "strategy.phases.0.warmup=4 steps"),
}
OPTIMIZERS = {
    "adamw": (),
    "adam": ("strategy.optimizer.name=adam", "strategy.optimizer.args={betas: [0.8, 0.99]}"),
    "sgd": ("strategy.optimizer.name=sgd", "strategy.optimizer.momentum=0.8"),
}
ALLOWED = 1e-5


def silent(line: str) -> None:
    """Say nothing."""


def made(small: Compose, families: Families, *more: str, names: tuple[str, ...] = tuple(TRIALS)) -> list[Trial]:
    """The trials above, as their folder alone is theirs."""
    trials = []
    for name in names:
        words = {word.split("=")[0]: word for word in (*families["cnn"], *BASE, *TRIALS[name], *more)}
        groups = [word for key, word in words.items() if "." not in key]
        trials.append(small(*groups, *(word for key, word in words.items() if "." in key)))
    return trials


def run(trials: list[Trial]) -> list[Result | None]:
    train_together(trials, [silent] * len(trials))
    return [folders.locate(trial).result() for trial in trials]


def alone(trial: Trial) -> tuple[Result, Path]:
    """The same trial by itself, everything computed."""
    other = replace(trial, output="alone", reuse=replace(trial.reuse, when="off"))
    return tlx.train(other), folders.locate(other).path


def events(place: Path) -> list[str]:
    return [row["event"] for row in journal.read(place)]


def same_rows(place: Path, other: Path) -> None:
    """Metrics at the same steps, by the same names, in the same order, with the same values."""
    ours, theirs = journal.metrics(place), journal.metrics(other)
    assert [(row["step"], row["epoch"]) for row in ours] == [(row["step"], row["epoch"]) for row in theirs]
    for mine, wanted in zip(ours, theirs, strict=True):
        assert list(mine["values"]) == list(wanted["values"])
        assert mine["values"] == pytest.approx(wanted["values"], rel=ALLOWED, abs=ALLOWED)


def same_records(trial: Trial, result: Result) -> None:
    """Everything a finished trial leaves is what it leaves alone."""
    place = folders.locate(trial).path
    expected, other = alone(trial)
    assert replace(result, metrics={}, cpu_seconds=0, wall_seconds=0) == replace(
        expected, metrics={}, cpu_seconds=0, wall_seconds=0
    )
    assert result.cpu_seconds > 0
    assert result.wall_seconds > 0
    assert list(result.metrics) == list(expected.metrics)
    assert result.metrics == pytest.approx(expected.metrics, rel=ALLOWED, abs=ALLOWED)
    same_rows(place, other)
    state, wanted_state = (load_file(one / folders.CHECKPOINT) for one in (place, other))
    assert not differences(state, wanted_state, ALLOWED)
    assert tlx.load(place)  # its origin is the network's
    records = [
        [json.loads(line) for line in (one / folders.PREDICTIONS).read_text().splitlines()] for one in (place, other)
    ]
    assert len(records[0]) == 897
    for mine, wanted in zip(*records, strict=True):
        assert mine.pop("probabilities") == pytest.approx(wanted.pop("probabilities"), abs=2 * ALLOWED)
        assert mine == wanted
    phases = [[row for row in journal.read(one) if row["event"] in ("phase", "stages")] for one in (place, other)]
    assert [without_time(row) for row in phases[0]] == [without_time(row) for row in phases[1]]
    assert folders.read_config(place) == trial
    texts = [(one / folders.CONFIG).read_text() for one in (place, other)]
    assert texts[0] == texts[1].replace("output: alone", "output: runs").replace("when: 'off'", "when: always")
    assert {file.name for file in place.iterdir()} == {file.name for file in other.iterdir()}
    assert [event for event in events(place) if event not in ("together", "reuse")] == events(other)
    starts = [next(journal.read(one)) for one in (place, other)]
    for start in starts:
        start["tags"].pop("tlx.folder")
        start.pop("attempt")
    assert without_time(starts[0]) == without_time(starts[1])


def without_time(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "time"}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_together_each_is_what_it_is_alone(small: Compose, families: Families, optimizer: str) -> None:
    trials = made(small, families, *OPTIMIZERS[optimizer])
    assert len({fusing.key(trial) for trial in trials}) == 1
    results = run(trials)
    for trial, result in zip(trials, results, strict=True):
        assert result is not None
        assert result.identity == folders.locate(replace(trial, reuse=replace(trial.reuse, when="off"))).identity
        same_records(trial, result)
        (shared,) = [row for row in journal.read(folders.locate(trial).path) if row["event"] == "together"]
        assert shared["trials"] == len(trials)
    steps = [result.steps for result in results if result is not None]
    assert max(steps) == 24
    if optimizer == "adamw":
        assert len(set(steps)) >= 3  # those that ended early did so in rounds of their own


def test_all_may_end_early(small: Compose, families: Families) -> None:
    trials = made(small, families, names=("threshold", "plateau"))
    results = run(trials)
    assert all(result is not None and result.steps < 24 for result in results)


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["off", "views=3"])
def test_augmented_examples_are_those_that_are_kept(small: Compose, families: Families, augment: str) -> None:
    words = ("dataset.augment=shift", f"reuse.augment='{augment}'", "strategy.budget=15 steps")
    trials = made(small, families, *words, names=("plain", "decay", "smooth"))
    assert len({fusing.key(trial) for trial in trials} - {None}) == 1
    results = run(trials)
    for trial, result in zip(trials, results, strict=True):
        assert result is not None
        other = replace(trial, output="alone")
        expected = tlx.train(other)  # on the same features: without any, augmentations are others
        assert result.metrics == pytest.approx(expected.metrics, rel=ALLOWED, abs=ALLOWED)
        same_rows(folders.locate(trial).path, folders.locate(other).path)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["cnn", "vit", "bert"])
def test_every_head_begins_as_it_would_alone(small: Compose, families: Families, family: str) -> None:
    """Whatever building the network has drawn by then, with weights to load or without."""
    words = (*families[family], "strategy=feature_extraction", "reuse=always", "strategy.budget=2 steps")
    shots = () if family == "bert" else ("dataset.shots_seed=0",)
    seeds = (0, 0) if family == "vit" else (3, 0, 7)  # without weights the seed is the backbone's too
    trials = [small(*words, *shots, f"seed={seed}", f"strategy.lr=0.0{1 + i}") for i, seed in enumerate(seeds)]
    assert len({fusing.key(trial) for trial in trials}) == 1
    for trial, result in zip(trials, run(trials), strict=True):
        assert result is not None
        assert result.metrics == pytest.approx(alone(trial)[0].metrics, rel=ALLOWED, abs=ALLOWED)


@pytest.mark.slow
def test_weights_that_leave_some_to_chance_leave_it_to_each_trials_seed(
    small: Compose, families: Families, folder: Path
) -> None:
    """A checkpoint may lack a few tensors: those are random, and other ones with another seed."""
    state = load_file(families["cnn"][0].partition("=")[2])
    save_file({name: t for name, t in state.items() if name != "layer4.0.conv2.weight"}, folder / "lacking.safetensors")
    lacking = f"backbone.weights={folder / 'lacking.safetensors'}"
    trials = made(small, families, lacking, names=("plain", "decay", "seed"))
    try:
        train_together(trials, [silent] * 3)
    except NotTogether:
        for trial in trials:
            tlx.train(trial)
    for trial in trials:
        result = folders.locate(trial).result()
        assert result is not None
        assert result.metrics == pytest.approx(alone(trial)[0].metrics, rel=ALLOWED, abs=ALLOWED)


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_an_entry_found_damaged_midway_is_not_found_again(
    small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Large entries are compared with their checksums as they are read; whoever finds one damaged discards it."""
    monkeypatch.setattr("tlx.reuse.features._MEMORY", 0)
    monkeypatch.setattr("tlx.reuse.entry.BLOCK", 1 << 12)
    monkeypatch.setattr("tlx.reuse.features.BLOCK", 1 << 12)
    words = ("dataset.shots=12", f"reuse.folder={Path.cwd() / 'store'}")
    run(made(small, families, *words, names=("plain",)))
    count = {"train": 120, "val": 200, "test": 897}[name]
    (file,) = [file for file in Path("store").glob("*/*.npy") if np.load(file, mmap_mode="r").shape == (count, 128)]
    content = bytearray(file.read_bytes())
    content[-40] ^= 1
    file.write_bytes(content)
    trials = made(small, families, *words, names=("decay", "smooth"))
    with suppress(Damaged):
        train_together(trials, [silent] * 2)
    for trial, result in zip(trials, run(trials), strict=True):
        assert result is not None
        assert result.metrics == pytest.approx(alone(trial)[0].metrics, rel=ALLOWED, abs=ALLOWED)


def test_one_that_diverges_fails_alone(small: Compose, families: Families) -> None:
    names = ("plain", "decay", "threshold")
    trials = made(small, families, names=names)
    trials.insert(1, made(small, families, "strategy.lr=1e30", names=("plain",))[0])
    train_together(trials, [silent] * 4)
    places = [folders.locate(trial) for trial in trials]
    assert [place.result() is None for place in places] == [False, True, False, False]
    (end,) = [row for row in journal.read(places[1].path) if row["event"] == "end"]
    assert end["status"] == "FAILED"
    with pytest.raises(FloatingPointError) as caught:
        alone(trials[1])
    assert end["reason"] == f"FloatingPointError: {caught.value}"
    steps = [row["step"] for row in journal.metrics(places[1].path)]
    other = folders.locate(replace(trials[1], output="alone", reuse=replace(trials[1].reuse, when="off"))).path
    assert steps == [row["step"] for row in journal.metrics(other)]
    assert not (places[1].path / folders.CHECKPOINT).exists()
    for number in (0, 2, 3):
        result = places[number].result()
        assert result is not None
        same_records(trials[number], result)
        assert list(journal.read(places[number].path))[-1]["status"] == "FINISHED"


def test_what_is_finished_is_left_alone(small: Compose, families: Families) -> None:
    trials = made(small, families, names=("plain", "decay", "seed"))
    tlx.train(trials[1])
    place = folders.locate(trials[1]).path
    before = {file.name: file.read_bytes() for file in place.iterdir() if file.name != "lock"}
    results = run(trials)
    assert {file.name: file.read_bytes() for file in place.iterdir() if file.name != "lock"} == before
    assert all(result is not None for result in results)
    shared = [row for row in journal.read(folders.locate(trials[0]).path) if row["event"] == "together"]
    assert [row["trials"] for row in shared] == [2]
    again = {place: place.stat().st_mtime_ns for place in Path("runs").glob("*/*") if place.name != "lock"}
    assert run(trials) == results
    assert {place: place.stat().st_mtime_ns for place in Path("runs").glob("*/*") if place.name != "lock"} == again


def test_nothing_is_begun_while_another_process_runs_one(small: Compose, families: Families) -> None:
    trials = made(small, families, names=("plain", "decay"))
    place = folders.locate(trials[1])
    program = (
        "import sys; from pathlib import Path; from tlx.trial.lock import locked\n"
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
    assert not list(Path("runs").glob("*/journal*"))
    assert all(result is not None for result in run(trials))  # the locks of both are free again


def test_examples_of_several_labels_are_not_for_it(small: Compose, families: Families, folder: Path) -> None:
    with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [[f"words and words {i}", "abc"[i % 3] + ";" + "bca"[i % 2 + i % 3 - 1]] for i in range(80)]
        csv.writer(stream).writerows([["text", "label"], *rows])
    data = ("dataset.file=texts.csv", "dataset.label_separator=';'", "dataset.shots=null")
    words = [word for word in families["bert"] if not word.startswith(("dataset.file", "dataset.shots"))]
    strategy = ("strategy=feature_extraction", "reuse=always")
    trials = [small(*words, *data, *strategy, f"strategy.lr={lr}") for lr in (0.1, 0.01)]
    with pytest.raises(NotTogether, match="several labels"):
        train_together(trials, [silent] * 2)
    assert not list(Path("runs").glob("*/journal*"))


@pytest.mark.parametrize("words", [("backbone=pixels",), ("reuse=auto", "dataset.shots=2", "strategy.budget=2 steps")])
def test_without_kept_features_nothing_is_begun(small: Compose, families: Families, words: tuple[str, ...]) -> None:
    """Pixels are features already; of few examples and passes nothing is worth keeping."""
    backbone = () if "backbone=pixels" in words else families["cnn"]
    base = {word.split("=")[0]: word for word in (*BASE, *words)}
    trials = [small(*backbone, *base.values(), f"strategy.keep={keep}") for keep in ("best", "last")]
    with pytest.raises(NotTogether, match="not kept"):
        train_together(trials, [silent] * 2)
    assert not list(Path("runs").glob("*/journal*"))


def test_one_that_goes_on_from_a_saved_state_goes_on_alone(
    small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = made(small, families, "hardware.save_every=0", names=("plain", "decay"))
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            tlx.train(trials[1])
    place = folders.locate(trials[1]).path
    before = (place / journal.FILE).read_bytes()
    with pytest.raises(NotTogether, match="saved state"):
        train_together(trials, [silent] * 2)
    assert (place / journal.FILE).read_bytes() == before
    assert not (folders.locate(trials[0]).path / journal.FILE).exists()
    said: list[str] = []
    tlx.train(trials[1], said.append)
    assert any(line.startswith("resuming after step 4") for line in said)


KILLED = """
import os, signal, sys
from pathlib import Path
from tlx.trial import folder as folders
from tlx.trial.fused import train_together
from tlx.trial.learner import Learner

whole = Learner.end_round

def end_round(self, step, loss, rates):
    whole(self, step, loss, rates)
    if step == 6 and self.journal.path.parent == Path(sys.argv[2]).resolve():
        os.kill(os.getpid(), signal.SIGKILL)

Learner.end_round = end_round
trials = [folders.read_config(Path(word)) for word in sys.argv[1:]]
train_together(trials, [print] * len(trials))
"""


@pytest.mark.slow
def test_killed_in_the_middle_they_begin_anew(small: Compose, families: Families, folder: Path) -> None:
    trials = made(small, families, names=("plain", "decay", "threshold"))
    places = [folders.locate(trial) for trial in trials]
    for trial, place in zip(trials, places, strict=True):
        place.path.mkdir(parents=True)
        folders.write_config(place.path, trial)
    (folder / "program.py").write_text(KILLED)
    words = [sys.executable, "program.py", *(str(place.path) for place in places)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    torn = [[row["step"] for row in journal.metrics(place.path)] for place in places]
    assert torn[0] == [0, 2, 4, 6]
    assert torn[2][-1] <= 4  # the second was killed in the round
    assert all(place.result() is None and not place.is_busy() for place in places)
    results = run(trials)
    for trial, place, result in zip(trials, places, results, strict=True):
        assert result is not None
        assert (place.path / "journal.1.jsonl").is_file()
        (place.path / "journal.1.jsonl").unlink()
        same_records(trial, result)


def test_what_goes_wrong_with_all_is_in_the_journal_of_each(
    small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = made(small, families, names=("plain", "threshold"))

    def fails(*args: object) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("tlx.trial.fused._conclude", fails)
        with pytest.raises(RuntimeError, match="disk"):
            train_together(trials, [silent] * 2)
    for trial in trials:
        end = list(journal.read(folders.locate(trial).path))[-1]
        assert (end["event"], end["status"], end["reason"]) == ("end", "FAILED", "RuntimeError: the disk is gone")
        assert "Traceback" in end["traceback"]
    assert all(result is not None for result in run(trials))
