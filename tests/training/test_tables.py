"""Trials on tables: what is read decides the trial and what is kept of it, whatever columns are called."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import tlx
from tests.conftest import Said
from tlx.config.errors import ConfigError, DataError, RequestError
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.runs.folder import read_config
from tlx.training.locate import locate

LABEL = {"label": {"type": "label"}}
SHORT = ["strategy.budget=6 steps", "strategy.validate_every=2 steps", "tracking=none", "hardware.threads=1"]


def write(file: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return file


def points(file: Path, names: Sequence[str] = ("a", "b"), count: int = 60, seed: int = 0) -> Path:
    """Numbers and a word, and a label that is known by them."""
    rng = np.random.default_rng(seed)
    x, y, z = rng.normal(size=count), rng.normal(size=count), rng.integers(3, size=count)
    rows = [[float(a), float(b), "rgb"[c], "yes" if a + b > 0 else "no"] for a, b, c in zip(x, y, z, strict=True)]
    return write(file, [*names, "colour", "label"], rows)


def trial(file: Path, *words: str, columns: Any = None) -> Trial:
    every = ["backbone=narrow_mlp", "strategy=feature_extraction", "dataset=tabular", f"dataset.file={file}", *SHORT]
    last = {word.partition("=")[0]: word for word in [*every, *words]}
    settings = {"dataset.columns": columns} if columns else {}
    return tlx.compose([last[key] for key in sorted(last, key=lambda key: "." in key)], settings)


def test_features_of_one_column_are_not_those_of_another(folder: Path) -> None:
    """Two columns that are the same in every example that a proof looks at, and differ later."""
    rng = np.random.default_rng(0)
    for name, count in (("train", 80), ("val", 40), ("test", 40)):
        first = rng.integers(2, size=count)
        second = np.where(np.arange(count) < count // 2, first, 1 - first)
        rows = [["ny"[a], "ny"[b], "ny"[b]] for a, b in zip(first, second, strict=True)]
        write(folder / f"{name}.csv", ["q1", "q2", "label"], rows)
    words = ["dataset.val_file=val.csv", "dataset.test_file=test.csv", "strategy.lr=0.1", "strategy.budget=20 steps"]
    results = []
    for reuse in ("always", "off"):
        for column in ("q1", "q2"):
            columns = {"q": {"type": "category", "column": column}, "label": {"type": "label"}}
            made = trial(folder / "train.csv", *words, f"reuse={reuse}", f"output={reuse}", columns=columns)
            results.append(tlx.train(made).metrics["test/acc"])
    assert results[:2] == results[2:]
    assert results[0] != results[1]


def test_columns_are_the_same_trial_in_any_order(folder: Path) -> None:
    points(folder / "t.csv")
    columns = {"a": {"type": "number"}, "b": {"type": "number"}, "label": {"type": "label"}}
    one = trial(folder / "t.csv", "output=one", columns=columns)
    other = trial(folder / "t.csv", "output=other", columns=dict(reversed(columns.items())))
    assert locate(one).identity == locate(other).identity
    assert tlx.train(one).metrics == tlx.train(other).metrics


@pytest.mark.parametrize(
    "names",
    [
        ("self", "x"),
        ("index", "kind"),
        ("forward", ""),
        ("a.b", "Größe (cm)"),
        ("inputs", "targets"),
        ("meta", "__class__"),
    ],
)
@pytest.mark.parametrize("backbone", ["columns", "narrow_mlp"])
def test_columns_may_be_called_anything(folder: Path, names: tuple[str, str], backbone: str) -> None:
    file = points(folder / "t.csv", names)
    for strategy in ("fine_tune", "logistic"):
        result = tlx.train(trial(file, f"backbone={backbone}", f"strategy={strategy}"))
        assert result.metrics["test/acc"] is not None


def test_weights_of_another_table_are_refused(folder: Path) -> None:
    (folder / "experiments").mkdir()
    points(folder / "t.csv")
    points(folder / "same.csv", seed=1)
    points(folder / "other.csv", ("c", "d"))
    choices = [
        {"override /backbone": "narrow_mlp"},
        {"override /dataset": "tabular"},
        {"override /strategy": "fine_tune"},
    ]
    source = {"defaults": [*choices, "_self_"], "dataset": {"file": "t.csv"}, "strategy": {"budget": "6 steps"}}
    (folder / "experiments" / "source.yaml").write_text("# @package _global_\n" + yaml.safe_dump(source))
    words = ["experiment=source", "tracking=none", "hardware.threads=1"]
    tlx.train(tlx.compose(words))
    result = tlx.train(trial(folder / "same.csv", "backbone.weights=trial:source"))
    assert result.metrics["test/acc"] is not None
    with pytest.raises(RequestError, match="of a table of other columns"):
        tlx.train(trial(folder / "other.csv", "backbone.weights=trial:source"))


def test_words_for_numbers_are_the_same_word(folder: Path) -> None:
    rng = np.random.default_rng(0)
    smokes = rng.integers(2, size=80)
    rows = [["" if i < 3 else f"{one}.0", "yes" if one else "no"] for i, one in enumerate(smokes)]
    write(folder / "train.csv", ["smoker", "label"], rows)
    write(folder / "test.csv", ["smoker", "label"], [[one, "yes" if one else "no"] for one in smokes])
    words = ["backbone=columns", "strategy=logistic", "dataset.test_file=test.csv"]
    with pytest.raises(DataError, match="empty 'smoker'") as caught:  # a number, of which some are not known
        tlx.train(trial(folder / "train.csv", *words))
    assert len(caught.value.problems) == 3
    made = trial(folder / "train.csv", *words, columns={"smoker": {"type": "category"}, **LABEL})
    assert tlx.train(made).metrics["test/acc"] == 1.0


def test_new_words_are_counted(folder: Path, said: Said) -> None:
    points(folder / "t.csv")
    rows = list(csv.reader((folder / "t.csv").open()))
    write(folder / "new.csv", rows[0], [[*row[:2], "violet", row[3]] for row in rows[1:21]])
    text = said("train", "backbone=columns", "strategy=logistic", "dataset=tabular", "dataset.file=t.csv",
                "dataset.test_file=new.csv", "tracking=none")  # fmt: skip
    assert "20 of 20 'colour' of test are no word of train" in text


def test_a_file_without_a_column_of_train_is_told(folder: Path) -> None:
    points(folder / "t.csv")
    write(folder / "val.csv", ["a", "b", "label"], [[1, 2, "yes"], [0, -1, "no"]])
    with pytest.raises(DataError, match="colour") as caught:
        tlx.train(trial(folder / "t.csv", "dataset.val_file=val.csv"))
    assert "val.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        (
            {"a": {"type": "number"}, "w": {"role": "weight", "column": "b"}, "label": {"type": "label"}},
            "columns.w.type",
        ),
        (
            {
                "a": {"type": "number"},
                "w": {"type": "category", "role": "weight", "column": "b"},
                "label": {"type": "label"},
            },
            "columns.w.type",
        ),
        ({"a": {"role": "input"}, "label": {"type": "label"}}, "columns.a.type"),
    ],
)
def test_columns_that_make_no_sense_are_refused(folder: Path, columns: dict[str, Any], key: str) -> None:
    points(folder / "t.csv")
    with pytest.raises(ConfigError) as caught:
        trial(folder / "t.csv", columns=columns)
    assert f"dataset.{key}" in [problem.key for problem in caught.value.problems]


def test_weights_that_cannot_be_are_refused(folder: Path) -> None:
    rows = [[i, 0, 1, "ny"[i % 2]] for i in range(40)]
    write(folder / "t.csv", ["a", "w", "v", "label"], rows)
    columns: dict[str, Any] = {"a": {"type": "number"}, "label": {"type": "label"}}
    weight = {"type": "number", "role": "weight"}
    with pytest.raises(DataError, match="no example counts"):
        tlx.train(trial(folder / "t.csv", columns={**columns, "w": weight}))
    both = {"u": {**weight, "column": "v"}, "v": weight}
    with pytest.raises(ConfigError, match="several weights: u, v"):
        tlx.train(trial(folder / "t.csv", columns={**columns, **both}))


def test_a_number_is_not_several_labels(folder: Path) -> None:
    points(folder / "t.csv")
    with pytest.raises(ConfigError, match=r"dataset\.label_separator"):
        trial(folder / "t.csv", "dataset.label_type=number", "dataset.label_separator=;")


@pytest.mark.parametrize("backbone", ["columns", "narrow_mlp"])
def test_categories_alone_in_double_precision(folder: Path, backbone: str) -> None:
    write(folder / "t.csv", ["p", "label"], [["xyz"[i % 3], "ny"[i % 3 == 0]] for i in range(60)])
    words = [f"backbone={backbone}", "strategy=fine_tune", "hardware.precision=64-true"]
    assert tlx.train(trial(folder / "t.csv", *words)).metrics["test/acc"] is not None


def test_numbers_far_from_those_of_train_are_told(folder: Path) -> None:
    points(folder / "t.csv")
    write(folder / "test.csv", ["a", "b", "colour", "label"], [[1e60, 0, "r", "yes"], [0, 0, "g", "no"]])
    with pytest.raises(DataError, match="deviations from the mean of train"):
        tlx.train(trial(folder / "t.csv", "dataset.test_file=test.csv"))


def test_a_target_of_large_numbers_is_measured_exactly(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    write(folder / "t.csv", ["x", "label"], [[a, 1.7e9 + 4 * a + rng.normal()] for a in x])
    made = trial(folder / "t.csv", "strategy=fine_tune", "dataset.label_type=number", "task.metrics={pearson: {}}")
    result = tlx.train(made)
    rows = [json.loads(line) for line in (locate(made).path / layout.PREDICTIONS).read_text().splitlines()]
    pairs = np.array([[row["label"], row["prediction"]] for row in rows])
    assert result.metrics["test/pearson"] == pytest.approx(np.corrcoef(pairs.T)[0, 1], abs=1e-5)


def test_a_record_is_read_where_an_unused_part_is_not_known(folder: Path) -> None:
    points(folder / "t.csv")
    made = trial(folder / "t.csv")
    tlx.train(made)
    file = locate(made).path / layout.CONFIG
    content = yaml.safe_load(file.read_text())
    content["task"]["metrics"]["theirs"] = content["callbacks"]["theirs"] = None
    file.write_text(yaml.safe_dump(content))
    assert read_config(locate(made).path).task.metrics == made.task.metrics
    content["task"]["metrics"]["theirs"] = {"much": 3}
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match="theirs"):
        read_config(locate(made).path)
