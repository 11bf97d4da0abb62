"""What loggers leave in a run folder: read, repeated and removed as tlx's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

import tlx
from tests.conftest import Said
from tlx.components import registry
from tlx.components.registry import of_group
from tlx.config.fields import option
from tlx.config.schema import Trial
from tlx.provenance import repetitions, reproduce
from tlx.runs import folder as folders
from tlx.runs import layout, removal
from tlx.tracking import event_log
from tlx.tracking.logger import Logger, RunInfo
from tlx.tracking.loggers import tensorboard
from tlx.training.locate import locate

WORDS = ("backbone=pixels", "strategy=feature_extraction", "dataset=digits", "strategy.budget=4 steps", "tracking=none")
CSV = "loggers.csv={}"


@dataclass
class Options:
    """Of a logger that a stranger wrote."""

    prefix: str = option("", "what names begin with")


class Stranger(Logger):
    """Keeps what it is told, in this process."""

    told: ClassVar[list[str]] = []

    def __init__(self, options: Options) -> None:
        self.options = options

    def open(self, run: RunInfo) -> None:
        self.told.append(run.name)


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


def made(*words: str) -> Trial:
    """A trial that is trained now."""
    trial = tlx.compose([*WORDS, *words])
    tlx.train(trial)
    return trial


def test_a_record_with_an_unknown_logger_can_be_read() -> None:
    trial = made("loggers.mine={}", CSV)
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


def test_a_repetition_logs_nowhere_unless_it_is_asked_to(said: Said) -> None:
    trial = made("loggers.mine={}", CSV)
    place = locate(trial).path
    Stranger.told.clear()
    shown = said("reproduce", str(place))
    assert "loggers.csv: the record names it; this run does without (loggers.csv={} sets it)" in shown
    assert "verdict: bitwise" in shown
    assert Stranger.told == []
    assert reproduce.recorded(place, ["loggers.csv={}"]).loggers.csv is not None
    assert "loggers.mine" in said("reproduce", str(place), "loggers.csv={}")
    (again,) = place.parent.glob(f"{repetitions.REPEATED}/*/{layout.METRICS}")
    assert again.read_text().count("\n") == len(event_log.metrics(again.parent)) + 1


@pytest.mark.usefixtures("installed")
def test_what_it_writes_is_removed_with_the_run(folder: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs pip install 'tlx[tensorboard]'")
    trial = made(CSV, "loggers.tensorboard={}")
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
    assert {path.name for path in place.parent.iterdir()} == {".tlx", "test_ledger.jsonl"}


@pytest.mark.parametrize("left", ["whole", "mark", "empty", "gone"])
def test_a_removal_that_was_killed_is_gone_on_with(left: str) -> None:
    from tlx.files import marks

    trial = made(CSV)
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
    assert {path.name for path in place.parent.iterdir()} == {".tlx", "test_ledger.jsonl"}
