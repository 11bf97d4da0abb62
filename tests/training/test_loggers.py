"""A trial's loggers have all its rows, however it is trained, and change nothing of it."""

from __future__ import annotations

import csv
import logging
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from jsonschema import Draft202012Validator

import tlx
from tests.conftest import Said
from tests.training.conftest import Compose, Families, run_program, said
from tests.training.heads import made, run
from tests.training.test_resume import stop_after
from tlx.components import registry
from tlx.components.parts import lacking
from tlx.components.registry import CAPABILITIES, Component, of_group
from tlx.composition import json_schema
from tlx.config.errors import ConfigError
from tlx.config.fields import option
from tlx.config.schema import Trial
from tlx.orchestration import batchable
from tlx.provenance import reproduce
from tlx.runs import folder as folders
from tlx.runs import layout, removal
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
def _stranger() -> Iterator[None]:
    """It is registered as long as a test runs."""
    before = {group: dict(known) for group, known in registry._COMPONENTS.items()}
    Stranger.told.clear()
    tlx.register.logger("mine", config=Options)(Stranger)
    yield
    registry._COMPONENTS.clear()
    registry._COMPONENTS.update(before)


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
        assert lacking(logged, capability) == lacking(plain, capability)
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


@pytest.mark.slow
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


@pytest.mark.parametrize(("kind", "package"), [("tensorboard", "tensorboardX"), ("wandb", "wandb")])
def test_a_package_that_is_not_there_is_said_before_anything_starts(
    folder: Path, said: Said, monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    words = ("backbone=pixels", "dataset=digits", "tracking=none", f"loggers.{kind}={{}}")
    for verb in (("train",), ("plan",), ("sweep", "seed=0,1")):
        text = said(*verb, *words, code=2)
        assert f"loggers.{kind}  needs more packages: pip install 'tlx[{kind}]'" in text
    assert not (folder / "runs").exists()


def test_a_strangers_package_is_asked_for_too() -> None:
    tlx.register.logger("far", config=Options, load="nowhere:Far", packages={"no_such_package": "far-logger"})
    with pytest.raises(ConfigError, match="pip install 'far-logger'"):
        tlx.compose(["backbone=pixels", "dataset=digits", "loggers.far={}"])


def test_a_wrong_name_or_option_is_told_with_the_nearest(folder: Path) -> None:
    base = ["backbone=pixels", "dataset=digits"]
    with pytest.raises(ConfigError, match=r"did you mean loggers\.csv"):
        tlx.compose([*base, "loggers.cvs={}"])
    with pytest.raises(ConfigError, match=r"did you mean loggers\.mine\.prefix"):
        tlx.compose([*base, "loggers.mine={prefx: a}"])
    with pytest.raises(ConfigError, match=r"not one of auto, online, offline, disabled"):
        tlx.compose([*base, "loggers.wandb={mode: away}"])
    with pytest.raises(ConfigError, match=r"a number above zero"):
        tlx.compose([*base, "loggers.wandb={patience: 0}"])
    (folder / "experiments").mkdir()
    document = {
        "defaults": [{"override /backbone": "pixels"}, {"override /dataset": "digits"}, "_self_"],
        "loggers": {"csv": {}, "mine": {"prefix": "a/"}},
    }
    (folder / "experiments" / "mine.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(document)}")
    found = tlx.compose(["experiment=mine"]).loggers
    assert (found.mine, found.tensorboard, found.wandb) == (Options("a/"), None, None)
    assert found.csv is not None
    schema = Draft202012Validator(json_schema.of_experiment())
    assert not list(schema.iter_errors(document))
    assert list(schema.iter_errors({"loggers": {"cvs": {}}}))
    assert list(schema.iter_errors({"loggers": {"wandb": {"mode": "away"}}}))


def test_it_is_explained(said: Said) -> None:
    found = said("help", "loggers")
    for kind in ("csv", "tensorboard", "wandb", "mine"):
        assert f".{kind}" in found
    assert "two that differ only here are the same" in found
    assert "one of auto, online, offline, disabled" in said("help", "loggers.wandb.mode")
    assert "did you mean loggers.wandb?" in said("help", "loggers.wand", code=2)


OURS = list(of_group("logger").values())


@pytest.mark.parametrize("one", OURS, ids=lambda one: one.kind)
def test_ours_are_there_and_need_no_package_to_be_made(one: Component) -> None:
    assert isinstance(one.function()(one.config()), Logger)


def test_a_record_with_an_unknown_logger_can_be_read(small: Compose) -> None:
    trial = small("loggers.mine={}", CSV)
    tlx.train(trial)
    place = locate(trial).path
    assert folders.read_config(place).loggers == trial.loggers
    del registry._COMPONENTS["logger"]["mine"]
    read = folders.read_config(place)
    assert read.loggers.csv is not None
    assert locate(read).identity == locate(trial).identity
    assert isinstance(read, Trial)
    config = yaml.safe_load((place / layout.CONFIG).read_text())
    del config["loggers"]  # as older releases wrote it
    (place / layout.CONFIG).write_text(yaml.safe_dump(config))
    assert folders.read_config(place).loggers.csv is None


def test_a_repetition_logs_nowhere_unless_it_is_asked_to(small: Compose, said: Said) -> None:
    trial = small("loggers.mine={}", CSV)
    tlx.train(trial)
    place = locate(trial).path
    Stranger.told.clear()
    shown = said("reproduce", str(place))
    assert "loggers.csv: the record names it; this run does without (loggers.csv={} sets it)" in shown
    assert "verdict: bitwise" in shown
    assert Stranger.told == []
    assert reproduce.recorded(place, ["loggers.csv={}"]).loggers.csv is not None
    assert "loggers.mine" in said("reproduce", str(place), "loggers.csv={}")
    (again,) = place.parent.glob(f"{reproduce.REPEATED}/*/{layout.METRICS}")
    has_every_row(again.parent)


@pytest.mark.usefixtures("installed")
def test_what_it_writes_is_removed_with_the_run(small: Compose, folder: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs pip install 'tlx[tensorboard]'")
    trial = small(CSV, "loggers.tensorboard={}")
    tlx.train(trial)
    place = locate(trial).path
    (place / tensorboard.FOLDER / "notes.txt").write_text("mine")
    assert removal.obstacle(place) == f"holds what tlx does not write into a run: {tensorboard.FOLDER}"
    with pytest.raises(ValueError, match=r"does not write"):
        removal.remove(place)
    (place / tensorboard.FOLDER / "notes.txt").unlink()
    elsewhere = folder / "elsewhere"
    (place / tensorboard.FOLDER).rename(elsewhere)
    (place / tensorboard.FOLDER).symlink_to(elsewhere)
    assert removal.obstacle(place)
    (place / tensorboard.FOLDER).unlink()
    elsewhere.rename(place / tensorboard.FOLDER)
    removal.remove(place)
    assert [path.name for path in place.parent.iterdir()] == [".tlx"]


@pytest.mark.parametrize("left", ["whole", "mark", "empty", "gone"])
def test_a_removal_that_was_killed_is_gone_on_with(small: Compose, left: str) -> None:
    from tlx.files import marks

    trial = small(CSV)
    tlx.train(trial)
    place = locate(trial).path
    inner = place / tensorboard.FOLDER
    if left != "gone":
        inner.mkdir()
    if left in ("whole", "mark"):
        marks.mark(inner, tensorboard.KIND)
    if left == "whole":
        (inner / "events.out.tfevents.1.here").write_text("")
    place.rename(place.with_name(f".removing-{place.name}"))
    removal.finish_interrupted(place.parent)
    assert [path.name for path in place.parent.iterdir()] == [".tlx"]
