"""What is asked of splits and labels and cannot be is refused before any data are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.composition.told import BASE, told

pytestmark = pytest.mark.usefixtures("machine")


@pytest.mark.parametrize(
    ("words", "key", "said"),
    [
        ("dataset.fold=1", "dataset.fold", "there are no folds"),
        ("dataset.folds=5 dataset.fold=5", "dataset.fold", "0 to 4"),
        ("dataset.folds=1", "dataset.folds", "2 or more"),
        ("dataset.folds=5 dataset.test=0", "dataset.test", "one of the 5 parts tests"),
        ("dataset.folds=5 dataset.test=0.5", "dataset.test", "leave it at 0.2"),
        ("dataset.group.pattern=(a", "dataset.group.pattern", "not a regular expression"),
        ("dataset.group.pattern=a", "dataset.group.pattern", "has 0 groups"),
        ("dataset.group.pattern=(a)(b)", "dataset.group.pattern", "has 2 groups"),
        ("dataset.group.pattern=(a) dataset.group.column=a", "dataset.group.column", "leave one"),
        ("dataset.split_by=time dataset.duplicates=group", "dataset.duplicates", "follow each other in time"),
        ("dataset.split_by=groups", "dataset.split_by", "group"),
        ("dataset.near_duplicates=64", "dataset.near_duplicates", "0 to 16"),
    ],
)
def test_how_splits_are_cut(words: str, key: str, said: str) -> None:
    given = [f"{name}='{value}'" for name, _, value in (word.partition("=") for word in words.split())]
    found = told(*BASE, *given)
    assert list(found) == [key]
    assert said in found[key]
    assert not told(*BASE, "dataset.folds=5", "dataset.fold=4", "dataset.near_duplicates=4", "dataset.split_by=group")


@pytest.mark.parametrize(
    ("words", "key", "said"),
    [
        ("dataset.labels=[a,a]", "dataset.labels", "twice"),
        ("dataset.labels=[a] dataset.label_separator=x", "dataset.label_separator", "one for each label"),
        ("dataset.labels=[a] dataset.label_type=number", "dataset.label_type", "one for each label"),
        ("dataset.unknown=zeros", "dataset.unknown", "name them in dataset.labels"),
        ("dataset.near_duplicates=3", "dataset.near_duplicates", "for images"),
    ],
)
def test_how_rows_are_labelled(folder: Path, words: str, key: str, said: str) -> None:
    (folder / "a.csv").write_text("text,a,b\n")
    rows = ("backbone=bert_base", "dataset=csv", "dataset.file=a.csv")
    found = told(*rows, *words.split())
    assert list(found) == [key]
    assert said in found[key]
    assert not told(*rows, "dataset.labels=[a,b]", "dataset.unknown=ones")
