"""``tlx.plan`` is ``tlx plan``, as data and as the same text."""

from __future__ import annotations

import shlex

import pytest

import tlx
from tests.conftest import Said
from tlx.api.plan import Plan, SweepPlan
from tlx.config.errors import ConfigError

WORDS = "backbone=narrow_resnet strategy=gradual_unfreezing dataset=digits"


def test_it_is_the_command(said: Said) -> None:
    found = tlx.plan(WORDS)
    assert isinstance(found, Plan)
    assert str(found) == said("plan", *shlex.split(WORDS)).rstrip("\n")
    assert [stage.name for stage in found.stages][-1] == "head"
    assert sum(stage.count for stage in found.stages) == found.costs.parameters
    assert [phase.stop for phase in found.phases[:-1]] == [phase.start for phase in found.phases[1:]]
    assert found.phases[0].trained < found.phases[-1].trained == found.costs.parameters


def test_many_trials_are_listed(said: Said) -> None:
    found = tlx.plan(WORDS, seed=range(3), multirun=True)
    assert isinstance(found, SweepPlan)
    assert [trial.seed for trial in found] == [0, 1, 2]
    assert str(found) == said("plan", "-m", *shlex.split(WORDS), "seed=0,1,2").rstrip("\n")
    study = tlx.plan("experiment=quickstart")
    assert isinstance(study, SweepPlan)
    assert len(study) > 1
    assert f"up to {study.later} more follow" in str(study)


def test_it_is_shown_without_markup() -> None:
    found = tlx.plan("backbone=pixels strategy=logistic dataset=digits", dataset={"name": "<script>"})
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()


def test_a_mistake_is_told() -> None:
    with pytest.raises(ConfigError, match="unknown key"):
        tlx.plan(WORDS, strategy={"lrr": 1})
    with pytest.raises(ConfigError, match="a composed trial is one"):
        tlx.plan(tlx.compose(WORDS), multirun=True)
