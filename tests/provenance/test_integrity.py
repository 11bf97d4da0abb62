"""What is whole is not called altered, as it was written, elsewhere, from MLflow or resumed; what is not whole is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as some

import tlx
from tests.provenance.conftest import WORDS
from tests.provenance.conftest import train as trained
from tests.provenance.tampering import flip_bit, promise
from tlx.config.cache import cache_folder
from tlx.provenance.integrity import contradictions
from tlx.runs import layout
from tlx.runs.result import read_result
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


@pytest.fixture(scope="module")
def with_frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with tensors that never trained beside those that did, never changed."""
    root = tmp_path_factory.mktemp("frozen")
    before = Path.cwd()
    os.chdir(root)
    try:
        return root / trained("backbone=narrow_resnet", *WORDS[1:])
    finally:
        os.chdir(before)


@given(data=some.data())
def test_any_bit_of_any_file_that_a_result_names_is_noticed(with_frozen: Path, data: some.DataObject) -> None:
    result = read_result(with_frozen)
    assert {layout.CHECKPOINT, layout.FROZEN, layout.FROZEN_TENSORS, layout.PREDICTIONS} <= result.files.keys()
    name = data.draw(some.sampled_from(sorted([*result.files, layout.RESULT])))
    size = (with_frozen / name).stat().st_size
    least = size // 2 if name == layout.FROZEN_TENSORS else 0  # its head names tensors, in whatever white space
    at = data.draw(some.integers(least, size - 1))
    with TemporaryDirectory() as place:
        copy = Path(place) / with_frozen.name
        shutil.copytree(with_frozen, copy)
        flip_bit(copy / name, at)
        assert contradictions(copy), (name, at)
