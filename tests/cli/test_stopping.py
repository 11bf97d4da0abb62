"""Ctrl-C and kill: the state is saved after the round, the status is true, and a second one leaves at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tlx.tracking import event_log

WORDS = ["backbone=narrow_resnet", "strategy=scratch", "dataset=digits", "strategy.budget=4000 steps", "tracking=none"]


@contextmanager
def training(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A trial at work, some rounds in."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "tlx", "train", *WORDS, "hardware.threads=1", *words]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process, begun(folder, process)
    finally:
        process.kill()
        process.wait()


def begun(folder: Path, process: subprocess.Popen[str]) -> Path:
    deadline = time.monotonic() + 900  # a busy machine takes its time
    while time.monotonic() < deadline and process.poll() is None:
        for path in folder.glob("runs/*"):
            if sum("train/loss" in row["values"] for row in event_log.metrics(path)) >= 2:
                return path
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate()[0])


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_once_saves_the_state(folder: Path, number: signal.Signals) -> None:
    with training(folder, "strategy.validate_every=10 steps") as (process, place):
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "once more leaves at once" in said
    assert f"stopped by {number.name}, its state saved" in said
    assert (place / "state.pt").is_file()
    last = list(event_log.read(place))[-1]
    assert (last["event"], last["status"]) == ("end", "KILLED")
    steps = [row["step"] for row in event_log.metrics(place)]
    command = [sys.executable, "-m", "tlx", "train", *WORDS, "hardware.threads=1", "strategy.validate_every=10 steps"]
    again = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert again.stdout is not None
        assert any(f"resuming after step {steps[-1]}" in line for line in again.stdout)
    finally:
        again.kill()
        again.wait()


@pytest.mark.slow
def test_twice_leaves_at_once(folder: Path) -> None:
    """In a round of 4000 steps, which the first would wait for."""
    words = ["strategy.phases=[{train: [all], until: 20 steps}, {train: [all]}]", "strategy.validate_every=10 steps"]
    words += ["dataset.augment=flip_crop", "strategy.batch_size=64"]
    with training(folder, *words) as (process, place):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(event_log.read(place))[-1]["status"] == "KILLED"
