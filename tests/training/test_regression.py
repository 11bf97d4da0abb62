"""Regression end to end: every strategy, exact solutions, heads side by side, weights, and columns beside an image."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

import tlx
from tlx.composition.search_path import options
from tlx.config.errors import ConfigError
from tlx.config.schema import Trial
from tlx.orchestration import batchable
from tlx.runs import layout
from tlx.runs.result import Result
from tlx.training.build import build
from tlx.training.locate import locate
from tlx.training.multi_head import train_together

REFUSED = {"logistic": "strategy.phases.0.solver", "prefix": "strategy.peft.kind", "prompt": "strategy.peft.kind"}
SHORT = ["strategy.budget=6 steps", "strategy.validate_every=2 steps", "tracking=none", "hardware.threads=1"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's diabetes patients, as a file."""
    file = tmp_path_factory.mktemp("diabetes") / "diabetes.csv"
    load_diabetes(as_frame=True, scaled=False).frame.to_csv(file, index=False)
    return file


def trial(table: Path, *words: str) -> Trial:
    """A short trial on the table."""
    every = ["backbone=narrow_mlp", "strategy=fine_tune", "dataset=tabular", f"dataset.file={table}", *SHORT]
    every += ["dataset.label=target", "dataset.label_type=number", *words]
    last = {word.partition("=")[0]: word for word in every}
    return tlx.compose([last[key] for key in sorted(last, key=lambda key: "." in key)])


def predictions(made: Trial) -> list[dict[str, Any]]:
    lines = (locate(made).path / layout.PREDICTIONS).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("strategy", options("strategy"))
def test_every_strategy_trains_a_regression_or_says_why_not(table: Path, strategy: str) -> None:
    made = trial(table, f"strategy={strategy}", "strategy.budget=20 steps")
    if strategy in REFUSED:
        with pytest.raises(ConfigError) as caught:
            tlx.train(made)
        assert [problem.key for problem in caught.value.problems] == [REFUSED[strategy]]
        return
    result = tlx.train(made)
    assert result.primary is not None
    assert (result.primary.name, result.primary.goal) == ("rmse", "min")
    assert all(value is not None and np.isfinite(value) for value in result.metrics.values())
    assert result.trained > 0
    rows = predictions(made)
    error = np.array([row["prediction"] - row["label"] for row in rows])
    assert result.metrics["test/rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)


def test_ridge_is_scikit_learns(table: Path) -> None:
    made = trial(table, "backbone=columns", "strategy=ridge")
    data = build(made).data
    with table.open(encoding="utf-8") as stream:
        rows = np.array([[float(cell) for cell in row.values()] for row in csv.DictReader(stream)])
    train, test = (rows[data.splits[name]] for name in ("train", "test"))
    scaler = StandardScaler().fit(train[:, :-1])
    model = Ridge(alpha=1.0).fit(scaler.transform(train[:, :-1]), train[:, -1])
    tlx.train(made)
    found = [row["prediction"] for row in predictions(made)]
    expected = model.predict(scaler.transform(test[:, :-1]))
    np.testing.assert_allclose(found, expected, rtol=2e-6)


@pytest.mark.parametrize("loss", ["mse", "huber", "quantile"])
def test_heads_side_by_side_are_those_of_one_after_the_other(table: Path, loss: str, tmp_path: Path) -> None:
    words = ["strategy=feature_extraction", "task=regression", f"task.loss={loss}", "reuse=always"]
    words += ["backbone=narrow_mlp", "strategy.init=scratch"]
    rates = (0.001, 0.01, 0.1)
    alone = [tlx.train(trial(table, *words, f"strategy.lr={rate}", "output=alone")) for rate in rates]
    together = [trial(table, *words, f"strategy.lr={rate}", "output=together") for rate in rates]
    assert len({batchable.key(one) for one in together}) == 1
    assert batchable.key(together[0]) is not None
    train_together(together, [lambda line: None] * len(together))
    for one, made in zip(alone, together, strict=True):
        found = tlx.train(made)  # finished already
        for name, value in one.metrics.items():
            assert found.metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-5)


def test_losses_of_heads_that_differ_are_not_put_side_by_side(table: Path) -> None:
    words = ["strategy=feature_extraction", "task=regression"]
    keys = {batchable.key(trial(table, *words, f"task.loss={loss}")) for loss in ("mse", "huber", "quantile")}
    assert len(keys) == 3
    assert None not in keys


def write(file: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def test_a_weighted_step_in_parts_is_the_step_in_one(folder: Path) -> None:
    """Parts of a batch have other sums of weights; together they are what the whole batch is."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=64), rng.integers(0, 5, size=64)
    write(folder / "some.csv", ["x", "y", "w"], [[a, 2 * a + rng.normal(), b] for a, b in zip(x, w, strict=True)])
    columns = {
        "x": {"type": "number"},
        "y": {"type": "number", "role": "target"},
        "w": {"type": "number", "role": "weight"},
    }
    results: list[Result] = []
    for parts in (1, 2, 4):
        words = ["backbone=columns", "strategy=feature_extraction", "dataset=tabular", "dataset.file=some.csv", *SHORT]
        words += ["strategy.batch_size=16", "strategy.optimizer=sgd", "strategy.lr=0.1", f"hardware.accumulate={parts}"]
        results.append(tlx.train(tlx.compose(words, {"dataset.columns": columns})))
    for other in results[1:]:
        for name, value in results[0].metrics.items():
            assert other.metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name


def test_a_number_beside_an_image_reaches_the_head(folder: Path) -> None:
    """Pictures of noise, and the answer in a column beside them: only who reads it can be right."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        Image.fromarray(rng.integers(0, 255, size=(8, 8), dtype=np.uint8)).save(folder / f"{i}.png")
        rows.append([f"{i}.png", float(rng.normal()), f"p{i % 7}"])
    write(folder / "scans.csv", ["path", "size", "patient"], rows)
    columns = {
        "scan": {"type": "image", "column": "path"},
        "size": {"type": "number"},
        "twice": {"type": "number", "column": "size", "role": "target"},
        "patient": {"type": "category", "role": "group"},
    }
    words = ["backbone=pixels", "strategy=ridge", "dataset=image_table", "dataset.file=scans.csv", *SHORT]
    made = tlx.compose(words, {"dataset.columns": columns})
    result = tlx.train(made)
    r2 = result.metrics["test/r2"]
    assert r2 is not None
    assert r2 > 0.7
    assert {row["meta"]["patient"] for row in predictions(made)} <= {f"p{i}" for i in range(7)}
    others = {**columns, "note": {"type": "text", "column": "patient"}}
    with pytest.raises(ConfigError, match="no part of this backbone reads a column of kind text"):
        tlx.train(tlx.compose(words, {"dataset.columns": others}))


def test_several_numbers_are_predicted_together(table: Path) -> None:
    columns = {name: {"type": "number"} for name in ("age", "bmi", "bp")}
    columns |= {name: {"type": "number", "role": "target"} for name in ("s1", "target")}
    words = ["backbone=narrow_mlp", "strategy=fine_tune", "dataset=tabular", f"dataset.file={table}", *SHORT]
    made = tlx.compose(words, {"dataset.columns": columns})
    result = tlx.train(made)
    assert result.primary is not None
    assert result.primary.name == "r2"
    rows = predictions(made)
    assert set(rows[0]["prediction"]) == {"s1", "target"}
    error = [np.mean([abs(row["prediction"][n] - row["label"][n]) for row in rows]) for n in ("s1", "target")]
    assert result.metrics["test/mae"] == pytest.approx(np.mean(error), rel=1e-5)
