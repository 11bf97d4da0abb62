"""A trial's loggers have all its rows, however it is trained, and change nothing of it."""

from __future__ import annotations

import csv
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

import tlx
from tests.conftest import Said
from tests.training.conftest import Compose, Families, run_program, said
from tests.training.heads import made, run
from tests.training.test_resume import stop_after
from tlx.components import registry
from tlx.components.parts import parts_without
from tlx.components.registry import CAPABILITIES, of_group
from tlx.config.fields import option
from tlx.orchestration import batchable
from tlx.runs import layout
from tlx.runs import result as results
from tlx.tracking import event_log
from tlx.tracking.logger import Logger, MetricRow, RunInfo
from tlx.tracking.loggers import tensorboard
from tlx.training.locate import locate

CSV = "loggers.csv={}"


@dataclass
class Options:
    """Of a logger that a stranger wrote."""

    prefix: str = option("", "what names begin with")
    breaks: bool = option(False, "does it break?")


class Stranger(Logger):
    """Keeps what it is told, in this process."""

    told: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, options: Options) -> None:
        self.options = options

    def open(self, run: RunInfo) -> None:
        self.told.append(("open", run.name))

    def row(self, row: MetricRow) -> None:
        if self.options.breaks and row.step:
            raise ConnectionError("gone")
        self.told.append(("row", row.step, {self.options.prefix + name: one for name, one in row.values.items()}))

    def close(self, status: str) -> None:
        self.told.append(("close", status))


@pytest.fixture(autouse=True)
def _stranger(registered: None) -> None:
    """It is registered as long as a test runs."""
    Stranger.told.clear()
    tlx.register.logger("mine", config=Options)(Stranger)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever packages loggers need are there, for the composition."""
    for kind, one in of_group("logger").items():
        monkeypatch.setitem(registry._COMPONENTS["logger"], kind, replace(one, packages={}))


def rows(place: Path) -> list[dict[str, str]]:
    with (place / layout.METRICS).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def has_every_row(place: Path) -> None:
    """``metrics.csv`` is what the event log says, in order."""
    found, expected = rows(place), event_log.metrics(place)
    assert [int(row["step"]) for row in found] == [row["step"] for row in expected]
    for mine, wanted in zip(found, expected, strict=True):
        cells = {name: float(cell) for name, cell in mine.items() if cell and name not in ("step", "epoch")}
        assert cells == {name: value for name, value in wanted["values"].items() if value is not None}


ALL = ["loggers.csv={}", "loggers.tensorboard={}", "loggers.wandb={project: x, mode: disabled}", "loggers.mine={}"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("words", [*([one] for one in ALL), ALL], ids=lambda words: words[0] if len(words) == 1 else "")
def test_it_is_no_part_of_the_trial(small: Compose, words: list[str]) -> None:
    plain, logged = small(), small(*words)
    assert (locate(logged).identity, locate(logged).path) == (locate(plain).identity, locate(plain).path)
    for capability in CAPABILITIES:
        assert parts_without(logged, capability) == parts_without(plain, capability)
    heads = "strategy=feature_extraction"
    assert batchable.key(small(heads, *words)) == batchable.key(small(heads))
    assert batchable.key(small(heads)) is not None


@pytest.mark.usefixtures("installed")
def test_it_changes_no_bit_and_has_every_row(small: Compose) -> None:
    pytest.importorskip("tensorboardX", reason="needs pip install 'tlx[tensorboard]'")
    plain, logged = small("output=plain"), small("output=logged", CSV, "loggers.tensorboard={}", "loggers.mine={}")
    assert tlx.train(plain).metrics == tlx.train(logged).metrics
    one, other = locate(plain).path, locate(logged).path
    assert results.hashes(one) == results.hashes(other)
    assert {path.name for path in other.iterdir()} - {path.name for path in one.iterdir()} == {
        layout.METRICS,
        tensorboard.FOLDER,
    }
    has_every_row(other)
    expected = [("row", row["step"], row["values"]) for row in event_log.metrics(other)]
    assert Stranger.told == [("open", locate(logged).name), *expected, ("close", "FINISHED")]


def test_a_trial_that_is_finished_tells_nobody(small: Compose) -> None:
    trial = small("loggers.mine={prefix: a/}")
    tlx.train(trial)
    assert all(name.startswith("a/") for one in Stranger.told if one[0] == "row" for name in one[2])
    Stranger.told.clear()
    tlx.train(trial)
    assert Stranger.told == []


def test_an_interrupted_trial_has_no_row_twice(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = small("strategy=lp_ft", "checkpoint.every_minutes=0", CSV, "loggers.mine={}")
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            tlx.train(trial)
    place = locate(trial).path
    has_every_row(place)
    assert Stranger.told[-1] == ("close", "KILLED")
    Stranger.told.clear()
    heard: list[str] = []
    tlx.train(trial, heard.append)
    assert any(line.startswith("resuming") for line in heard)
    has_every_row(place)
    assert [one[:2] for one in Stranger.told if one[0] == "row"] == [
        ("row", row["step"]) for row in event_log.metrics(place)
    ]
    assert [one for one in Stranger.told if one[0] != "row"] == [("open", locate(trial).name), ("close", "FINISHED")]
    steps = [row["step"] for row in rows(place) if row["train/loss"]]
    assert len(steps) == len(set(steps)) >= 3


def test_heads_side_by_side_have_their_own(small: Compose, families: Families) -> None:
    first, second, third = made(small, families, CSV, names=("plain", "decay", "plateau"))
    assert all(result is not None for result in run([first, second, replace(third, loggers=small().loggers)]))
    for trial in (first, second):
        has_every_row(locate(trial).path)
    assert rows(locate(first).path) != rows(locate(second).path)
    assert not (locate(third).path / layout.METRICS).exists()


PROGRAM = """
import os, sys
import tlx
from tlx.tracking.loggers.csv import CsvLogger

whole = CsvLogger.open

def opened(self, run):
    open(f"opened-{os.environ.get('LOCAL_RANK', '0')}", "w").close()
    whole(self, run)

CsvLogger.open = opened
tlx.train(tlx.compose(sys.argv[1:]))
"""


@pytest.mark.long
def test_of_several_processes_the_first_one_writes(small: Compose, folder: Path) -> None:
    run_program(folder, PROGRAM, *said(small, CSV, "hardware=ddp_cpu", "output=two"))
    assert [path.name for path in folder.glob("opened-*")] == ["opened-0"]
    (result,) = folder.glob("two/*/result.json")
    has_every_row(result.parent)


@pytest.mark.slow
def test_the_trials_of_a_sweep_have_their_own(folder: Path, said: Said) -> None:
    words = ("backbone=pixels", "strategy=feature_extraction", "dataset=digits", "strategy.budget=4 steps")
    said("sweep", *words, "seed=0,1", "tracking=none", CSV, "--jobs", "1")
    places = [path.parent for path in folder.glob("runs/pixels*/result.json")]
    assert len(places) == 2
    for place in places:
        has_every_row(place)


def test_one_that_breaks_ends_no_training(small: Compose, caplog: pytest.LogCaptureFixture) -> None:
    trial = small("loggers.mine={breaks: true}", CSV)
    with caplog.at_level(logging.WARNING, "tlx.tracking"):
        result = tlx.train(trial)
    assert math.isfinite(result.metrics["test/loss"] or math.nan)
    (record,) = [one for one in caplog.records if one.name == "tlx.tracking"]
    assert "loggers.mine stops at" in record.getMessage()
    assert "(ConnectionError: gone)" in record.getMessage()
    has_every_row(locate(trial).path)


def test_a_trial_that_breaks_closes_it(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    from tlx.training import runner

    def broken(*_: object) -> None:
        raise RuntimeError("no network")

    monkeypatch.setattr(runner, "build", broken)
    with pytest.raises(RuntimeError, match="no network"):
        tlx.train(small("loggers.mine={}"))
    assert [one[0] for one in Stranger.told] == ["open", "close"]
    assert Stranger.told[-1] == ("close", "FAILED")
