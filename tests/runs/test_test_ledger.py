"""Every time a model is scored on a test split stands in the ledger, and is counted in reports."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Said
from tlx.runs import test_ledger

TRIAL = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "dataset=digits", "tracking=none"]


def test_training_and_evaluating_are_looks(folder: Path, said: Said) -> None:
    said("train", *TRIAL)
    said("train", *TRIAL)  # it is finished: nobody looks
    (run,) = (path.parent for path in (folder / "runs").glob("*/result.json"))
    said("evaluate", str(run), "--split", "test")
    said("evaluate", str(run), "--split", "val")
    looks, _ = test_ledger.read(folder / "runs")
    assert [look.kind for look in looks] == ["train", "evaluate"]
    assert len({look.split for look in looks}) == 1
    assert looks[0].run == run.name
    assert looks[1].command.startswith("tlx evaluate")
    found = test_ledger.summary(folder / "runs", {looks[0].split})
    assert (found.looks, found.runs, len(found.commands)) == (2, 2, 2)


def test_an_altered_line_does_not_count(folder: Path) -> None:
    test_ledger.add(folder, "data 10 abc", "train", "one")
    test_ledger.add(folder, "data 10 abc", "train", "two")
    file = folder / test_ledger.FILE
    file.write_text(file.read_text().replace('"one"', '"three"'))
    assert [look.run for look in test_ledger.read(folder)[0]] == ["two"]
    found = test_ledger.summary(folder, {"other"})
    assert (found.looks, found.altered) == (0, 1)
