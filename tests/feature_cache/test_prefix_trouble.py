"""Damage, full disks, folders that cannot be written and interruptions change no number."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import Tensor

import tlx
from tests.feature_cache.trials import Outcome, composed, found, outcome, run, same
from tests.training.test_resume import stop_after
from tlx.feature_cache import entry, features
from tlx.feature_cache.features import Features
from tlx.training.locate import locate


def spoil(folder: Path, pattern: str = "*.npy") -> None:
    """Change the last byte of every file."""
    for file in (folder / "store").glob(f"*/{pattern}"):
        with file.open("r+b") as stream:
            stream.seek(-1, os.SEEK_END)
            last = stream.read(1)
            stream.seek(-1, os.SEEK_END)
            stream.write(bytes([last[0] ^ 1]))


@pytest.mark.parametrize("pattern", ["*.npy", "entry.json"])
@pytest.mark.parametrize("memory", [True, False])
def test_damage_between_two_trials_is_computed_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, memory: bool
) -> None:
    if not memory:
        monkeypatch.setattr(features, "_MEMORY", 0)
    first = run(folder, "always", "strategy=top_k")
    spoil(folder, pattern)
    second = run(folder, "always", "strategy=top_k", output="second")
    assert set(second.states().values()) == {"filled"}
    same(second, first)
    third = run(folder, "always", "strategy=top_k", output="third")
    assert set(third.states().values()) == {"found"}


@pytest.mark.parametrize("strategy", ["top_k", "feature_extraction"])
@pytest.mark.parametrize("at", [4, 9])
def test_damage_in_the_middle_of_training_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, at: int
) -> None:
    """A mapped entry; the block is found to be bad at some reading of many."""
    words = (f"strategy={strategy}", "strategy.validate_every=8 steps", "strategy.budget=16 steps")
    plain = run(folder, "off", *words)
    monkeypatch.setattr(features, "_MEMORY", 0)
    take, counts = Features.take, [0]

    def failing(self: Features, rows: features.Rows) -> list[Tensor]:
        counts[0] += 1
        if counts[0] == at:
            raise entry.CorruptEntryError("a block has changed on disk")
        return take(self, rows)

    monkeypatch.setattr(Features, "take", failing)
    reused = run(folder, "always", *words)
    assert counts[0] > at
    assert any("computing it again" in line for line in reused.said)
    assert len([event for event in reused.events if event["state"] == "filled"]) > 3
    same(reused, plain)


def without_a_store(reused: Outcome, plain: Outcome, reason: str) -> None:
    assert set(reused.states().values()) == {"none"}
    assert all(reason in event["reason"] for event in reused.events), reused.events
    assert any(line.startswith("reuse: none of train: ") for line in reused.said)
    same(reused, plain)


def test_a_folder_that_cannot_be_made_is_done_without(folder: Path) -> None:
    trial = composed("strategy=top_k", "reuse.when=always", "output=always", "reuse.folder=/proc/store")
    without_a_store(outcome(trial), run(folder, "off", "strategy=top_k"), "cannot be used")


@pytest.fixture
def tiny_disk(folder: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    (folder / "store").mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder / "store")]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a file system here")
    yield folder / "store"
    subprocess.run(["umount", "-l", str(folder / "store")], check=True)


def test_a_disk_that_is_nearly_full_is_left_alone(folder: Path, tiny_disk: Path) -> None:
    without_a_store(run(folder, "always", "strategy=top_k"), run(folder, "off", "strategy=top_k"), "nearly full")
    assert not list(tiny_disk.rglob("*.npy"))


def test_a_disk_that_fills_up_is_done_without(folder: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlx.feature_cache.store._SPARE", -(1 << 40))
    reused = run(folder, "always", "strategy=top_k")
    refused = [event for event in reused.events if event["state"] == "none"]
    assert refused
    assert all(os.strerror(errno.ENOSPC) in event["reason"] for event in refused)
    assert not list((tiny_disk / ".filling").glob("*"))
    same(reused, run(folder, "off", "strategy=top_k"))


@pytest.mark.parametrize(("strategy", "stop"), [("feature_extraction", 2), ("top_k", 1), ("lp_ft", 1), ("ema", 2)])
def test_an_interrupted_trial_ends_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, stop: int
) -> None:
    words = [f"strategy={strategy}", "checkpoint.every_minutes=0"]
    words += ["strategy.phases=[{train: [head, 'stages[-1]']}]"] if strategy == "ema" else []
    plain = run(folder, "off", *words)
    trial = composed(*words, "reuse.when=always", f"reuse.folder={folder / 'store'}", "output=stopped")
    with monkeypatch.context() as patch:
        stop_after(patch, stop)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            tlx.train(trial)
    said: list[str] = []
    result = tlx.train(trial, said.append)
    assert any(line.startswith("resuming after step") for line in said)
    reused = found(locate(trial).path, result.metrics, said)
    assert "found" in {event["state"] for event in reused.events}
    same(reused, plain)
