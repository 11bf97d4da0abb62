"""Files of predictions: Parquet's types are those of what the model predicts, whatever its first rows hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest

from tlx.columns import Label, Labels, Number
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError
from tlx.prediction.writers import writing

MANY = 1030  # more than are in memory


def written(file: Path, schema: Schema, answers: list[dict[str, Any]]) -> list[Any]:
    with writing(file, "identity", schema) as writer:
        for i, answer in enumerate(answers):
            writer.write(f"{i}", answer)
    return list(pandas.read_parquet(file)["prediction"])


@pytest.mark.parametrize(
    ("column", "nothing", "value"),
    [
        (Labels("kinds", classes=("a", "b")), [], ["a"]),
        (Label("kind"), None, "a"),
        (Number("size", role="target"), None, 1.5),
    ],
)
def test_first_rows_that_hold_nothing(folder: Path, column: Any, nothing: Any, value: Any) -> None:
    answers = [{"prediction": nothing}] * MANY + [{"prediction": value}]
    found = written(folder / "out.parquet", Schema((column,)), answers)
    assert (list(found[-1]) if isinstance(value, list) else found[-1]) == value
    assert len(found) == MANY + 1


@pytest.mark.parametrize("last", [{"prediction": "a", "more": 1}, {"prediction": 1.5}, {}])
def test_answers_that_differ_are_refused_and_nothing_is_written(folder: Path, last: dict[str, Any]) -> None:
    answers = [{"prediction": "b"}] * MANY + [last]
    with pytest.raises(ConfigError, match=r"write to a \.jsonl file"):
        written(folder / "out.parquet", Schema((Label("kind"),)), answers)
    assert not list(folder.iterdir())
