"""What two runs do not share, and which runs tell how far repetitions of one lie apart."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.provenance.tampering import promise, reseal
from tlx.provenance import repetitions
from tlx.runs import layout
from tlx.runs.result import read_result


@pytest.fixture
def old(finished: tuple[Path, Path], folder: Path) -> Path:
    """A run with a repetition of its own beside it."""
    run = folder / "runs" / finished[0].name
    shutil.copytree(finished[0], run)
    shutil.copytree(finished[0], repetition(run, 1))
    return run


def repetition(run: Path, number: int) -> Path:
    return run.parent / repetitions.REPEATED / f"{run.name}-{number}"


def test_a_run_and_its_repetitions_count(old: Path) -> None:
    nowhere = old.parent / "new"
    assert list(repetitions.results(old, nowhere)) == [read_result(old)] * 2
    assert list(repetitions.results(old, repetition(old, 1))) == [read_result(old)]  # but for the one that is judged


def test_other_settings_other_inputs_and_altered_records_do_not(finished: tuple[Path, Path], old: Path) -> None:
    shutil.copytree(finished[1], repetition(old, 2))  # of another seed
    shutil.copytree(finished[0], repetition(old, 3))
    reseal(repetition(old, 3) / layout.RESULT, lambda row: row["metrics"].update({"test/acc": 0.9}))
    shutil.copytree(finished[0], repetition(old, 4))
    elsewhere = {"data": "0" * 32}  # of other data, as all of it says
    reseal(repetition(old, 4) / layout.MANIFEST, lambda row: row["data"].update(elsewhere))
    reseal(repetition(old, 4) / layout.RESULT, lambda row: row["facts"].update(elsewhere))
    promise(repetition(old, 4))
    shutil.copytree(finished[0], repetition(old, 5))
    (repetition(old, 5) / layout.RESULT).unlink()  # stopped early
    shutil.copytree(finished[0], repetition(old, 6).with_name(f"{old.name}-copy"))
    shutil.copytree(finished[1], old.parent / "another seed, beside it")
    assert list(repetitions.results(old, old.parent / "new")) == [read_result(old)] * 2
    assert [row.item for row in repetitions.changed_inputs(old, repetition(old, 4))] == ["data"]
    assert [row.change for row in repetitions.changed_settings(old, repetition(old, 2))] == ["seed 0 -> 1"]
