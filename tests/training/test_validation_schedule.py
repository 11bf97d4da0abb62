"""A trial validates when its plan says so, where the interval is found out too."""

from __future__ import annotations

import pytest

import tlx
from tests.training.conftest import Compose
from tlx.config.schema import Trial
from tlx.planning.trial_plan import plan_trial
from tlx.tracking import event_log
from tlx.training.locate import locate
from tlx.training.runner import train

AUTO = ("backbone=pixels", "strategy=feature_extraction", "strategy.validate_every=auto", "strategy.budget=30 steps")
HALVES = "strategy.phases=[{train: [head], until: 10 steps}, {train: [head], lr_scale: 0.5}]"


def validated(trial: Trial) -> list[int]:
    """The optimizer steps after which a trial, run now, was validated."""
    said: list[str] = []
    train(trial, said.append)
    rows = [row for row in event_log.read(locate(trial).path) if row["event"] == "metrics"]
    steps = [row["step"] for row in rows if "val/loss" in row["values"] and "train/loss" in row["values"]]
    planned = plan_trial(trial).validations
    assert planned.looks == len(steps)
    assert [line for line in said if line.startswith("validation: ")] == [f"validation: {planned.lines[0]}"]
    return steps


@pytest.mark.usefixtures("folder")
def test_each_phase_has_five_looks_or_more(small: Compose) -> None:
    assert validated(small(*AUTO)) == [6, 12, 18, 24, 30]
    assert validated(small(*AUTO, HALVES)) == [*range(2, 12, 2), *range(12, 32, 2)]


@pytest.mark.usefixtures("folder")
def test_steps_are_whole_ones_where_gradients_are_accumulated(small: Compose) -> None:
    assert validated(small(*AUTO, "hardware.accumulate=2", "strategy.batch_size=20")) == [6, 12, 18, 24, 30]


@pytest.mark.usefixtures("folder")
def test_a_plan_says_what_validation_costs(small: Compose) -> None:
    """40 examples train and 200 validate: a look costs as much as five steps, of which three are an epoch."""
    few, looks = ("strategy.budget=30 steps", "strategy.validate_every=1 epochs"), "validates every 3 steps, 10 times"
    text = str(tlx.plan(small("strategy=scratch", *few)))
    assert f"{looks}; validation is 62 % of the work, with strategy.validate_every=auto 45 %" in text
    text = str(tlx.plan(small("strategy=scratch", few[0], "strategy.validate_every=auto")))
    assert "validates every 6 steps (auto), 5 times; five looks per phase: validation is 45 % of the work" in text
    many = ("dataset.shots=null", "strategy.budget=10 epochs", "strategy.validate_every=auto")
    text = str(tlx.plan(small("strategy=scratch", *many)))
    assert "validates every 44 steps (auto), 10 times; validation is 9 % of the work" in text
    hub = ("backbone=bert_base", "dataset=hub_text", "dataset.name=imdb", *many)
    text = str(tlx.plan(tlx.compose(["strategy=fine_tune", "tracking=none", *hub])))
    assert "validates how often, and at what share of the work, is known once the data are fetched" in text
