"""What is whole is not called altered: as it was written, elsewhere, put together from MLflow, or resumed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import tlx
from tests.provenance.conftest import WORDS
from tests.provenance.tampering import promise
from tlx.config.cache import cache_folder
from tlx.provenance.integrity import contradictions
from tlx.runs import layout
from tlx.tracking import event_log, run_copies
from tlx.training.locate import locate
from tlx.training.runner import train


def test_what_was_written_agrees_with_itself(finished: tuple[Path, Path], folder: Path) -> None:
    shutil.copytree(finished[0], folder / "elsewhere")
    assert contradictions(finished[0]) == contradictions(folder / "elsewhere") == []


def test_a_copy_from_mlflow_lacks_its_record(finished: tuple[Path, Path]) -> None:
    copy = cache_folder(run_copies.FOLDER) / ("0" * 32)
    shutil.copytree(finished[0], copy)
    (copy / layout.MANIFEST).unlink()
    promise(copy)
    assert contradictions(copy) == []
    shutil.rmtree(copy)


class Killed(Exception):
    """The process died here."""


@pytest.mark.parametrize("torn", [False, True])
def test_a_run_that_was_killed_and_went_on(folder: Path, torn: bool) -> None:
    trial = tlx.compose([*WORDS, "checkpoint.every_minutes=0"])
    place = locate(trial)

    def kill(rounds: int, values: Mapping[str, float | None]) -> None:
        if event_log.last(place.path, "metrics")["step"] >= 6:
            raise Killed

    with pytest.raises(Killed):
        train(trial, on_validation=kill)
    if torn:
        log = place.path / event_log.FILE
        log.write_text(log.read_text()[:-40])
    train(trial, on_validation=lambda rounds, values: None)
    assert any(True for _ in event_log.events(place.path, "resume"))
    assert contradictions(place.path) == []
