"""Settings from Python: whatever is written is what Hydra's own parser reads, and all forms are one trial."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

import tlx
from tlx.composition.words import written
from tlx.config.errors import ConfigError

WORDS = ["backbone=resnet18", "strategy=fine_tune", "strategy.lr=0.01", "dataset=digits", "seed=3"]
TEXT = st.text(st.characters(codec="utf-8"))
SCALARS = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | TEXT
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_ ().,:=\[\]{}/-]{0,8}[A-Za-z0-9_)]", fullmatch=True).filter(
    lambda name: name.lower() not in ("null", "true", "false", "inf", "nan")
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)


def read(word: str) -> tuple[str, Any]:
    found = OverridesParser.create().parse_override(word)
    return found.key_or_group, found.value()


@given(VALUES)
def test_what_is_written_is_what_hydra_reads(value: Any) -> None:
    (word,) = written({"a.b": [value]})  # in a list: braces at the top are walked down where they need be
    assert read(word) == ("a.b", [value])


@given(st.lists(SCALARS | st.lists(SCALARS, max_size=2), min_size=2, max_size=4))
def test_several_values_are_hydras_sweep(values: list[Any]) -> None:
    (word,) = written({"seed": values}, varies=True)
    found = OverridesParser.create().parse_override(word)
    assert found.is_sweep_override()
    assert [read(f"seed={one}")[1] for one in found.sweep_string_iterator()] == values  # as trials get them


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (" ".join(WORDS), {}),
        (WORDS, {}),
        (tuple(WORDS[:3]), {"dataset": "digits", "seed": np.int64(3)}),
        ({"backbone": "resnet18", "strategy": "fine_tune", "strategy.lr": 0.01, "dataset": "digits", "seed": 3}, {}),
        ("backbone=resnet18 dataset=digits", {"strategy": {"choice": "fine_tune", "lr": 0.01}, "seed": 3}),
        ({"backbone": {"choice": "resnet18"}, "strategy": "fine_tune"}, {"dataset": "digits", "seed": 3,
                                                                        "strategy.lr": 0.01}),
    ],
    ids=["text", "list", "keywords", "dotted", "choice", "mapping"],
)  # fmt: skip
def test_every_form_is_the_same_trial(words: Any, settings: dict[str, Any]) -> None:
    assert tlx.compose(words, **settings) == tlx.compose(WORDS)


def test_mappings_reach_optional_and_open_parts(folder: Path) -> None:
    file = folder / "it's a table (1).csv"
    file.write_text("age,y\n1,2\n")
    trial = tlx.compose(
        "backbone=columns strategy=ridge",
        dataset={"choice": "tabular", "file": file, "columns": {"age": {"type": "number"}, "y": {"type": "label"}}},
        callbacks={"gradient_norm": {"every": 5}},
    )
    assert trial.dataset.file == str(file)  # type: ignore[attr-defined]
    assert sorted(trial.dataset.columns) == ["age", "y"]  # type: ignore[attr-defined]
    assert trial.callbacks.gradient_norm.every == 5


def test_lists_are_varied_where_several_trials_are_asked_for() -> None:
    assert written({"seed": range(3), "study": {"seeds": [0, 1]}}, varies=True) == ["seed=0,1,2", "study.seeds=[0,1]"]
    assert written({"dataset.packages": [["a", "b"], ["c"]]}, varies=True) == ["dataset.packages=[a,b],[c]"]
    assert written({"strategy": {"choice": ["a", "b"], "lr": [0.1]}}, varies=True) == [
        "strategy=a,b",
        "strategy.lr=0.1",
    ]
    assert written({"strategy": {"optimizer": {"momentum": [0, 0.9]}}}, varies=True) == [
        "++strategy.optimizer.momentum=0,0.9"
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("backbone='pixels", "No closing quotation"),
        (3, "expected a text, a list, or keys and values, not a int"),
        ([("seed", 3)], "expected key=value in a list of overrides, not a tuple"),
        ({"seed": {1, 2}}, "not a set"),
        ({"not a key": 1}, "not a key"),
        ({"dataset": {"columns": {"größe (cm)": {"type": "number"}}}}, "not a key"),
        ({"a": [{"größe": 1}]}, "put this setting into an experiment file"),
        ({"backbone": "pixels", "strategy": {"choice": "logistic", "lrr": 1}, "dataset": "digits"}, "strategy.lr"),
        ({"backbone": ["pixels", "resnet18"], "strategy": "logistic", "dataset": "digits"}, "one option is chosen"),
    ],
)
def test_a_mistake_is_told(words: Any, told: str) -> None:
    with pytest.raises(ConfigError, match="problem") as error:
        tlx.compose(words)
    assert told in str(error.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        tlx.compose({"seed": {1}, "x y": 1}, output=object())
    assert len(error.value.problems) == 3


def test_numbers_that_are_none_are_hydras() -> None:
    (nan,) = written({"a": math.nan})
    assert math.isnan(read(nan)[1])
    assert read(written({"a": -math.inf})[0])[1] == -math.inf
