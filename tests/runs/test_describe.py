"""A trial whose sweep varies a whole part is called by the part's one word."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Said
from tlx.config.strategy import Optimizer
from tlx.config.task import Loss
from tlx.runs.describe import short_form

TRIAL = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "strategy.budget=4 steps", "tracking=none"]


@pytest.mark.parametrize(
    ("part", "word"),
    [
        (Loss(), "cross_entropy"),
        (Loss(kind="focal"), "focal"),
        (Loss(kind="focal", gamma=0.5), "focal(gamma=0.5)"),
        (Optimizer(name="sgd", momentum=0.5, weight_decay=0.0), "sgd(weight_decay=0, momentum=0.5)"),
    ],
)
def test_a_part_is_its_word_and_what_is_not_as_usual(part: object, word: str) -> None:
    assert short_form(part) == word


def test_tables_and_data_have_the_word(folder: object, said: Said) -> None:
    said("sweep", *TRIAL, "task.loss=cross_entropy,focal", "sweep.name=losses")
    rows = json.loads(said("results", "losses", "--json"))["trials"]
    assert [row["task.loss"] for row in rows] == ["cross_entropy", "focal"]
    assert [row["trial"].rpartition(" ")[2] for row in rows] == ["loss=cross_entropy", "loss=focal"]
