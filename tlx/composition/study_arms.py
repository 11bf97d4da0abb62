"""The arms of a study: those that are named, and one for each combination of its axes; what each is as words."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.study import Arm, Study


def with_axes(study: Study, exclude: Sequence[Mapping[str, Any]] = ()) -> Study:
    """Write a study's axes out as arms, one for each combination of their values, after the arms it names.

    Args:
        study: As it was composed.
        exclude: Combinations left out, each as axes and their values.

    Raises:
        ConfigError: An axis has no values, or two arms have one name.
    """
    empty = [key for key, values in study.axes.items() if not isinstance(values, list) or not values]
    if empty:
        raise ConfigError(
            [ConfigIssue(f"study.axes.{key}", "expected a list of values", study.axes[key]) for key in empty]
        )
    arms = dict(study.arms)
    for values in itertools.product(*study.axes.values()) if study.axes else ():
        name = " + ".join(map(str, values))
        combination = dict(zip(study.axes, values, strict=True))
        if any(all(combination.get(key) == value for key, value in rule.items()) for rule in exclude):
            continue
        if name in arms:
            raise ConfigError([ConfigIssue("study.axes", "gives an arm of a name that there is already", name)])
        arms[name] = Arm(overrides=[f"{key}={_quoted(value)}" for key, value in combination.items()], tune=study.tune)
    return replace(study, arms=arms)


def words_of(overrides: Sequence[str], arm: Arm) -> list[str]:
    """The study's file, then the arm's overrides, then the command line's own."""
    experiment_words = [word for word in overrides if word.startswith("experiment=")]
    rest = [word for word in overrides if word not in experiment_words and not word.startswith("study.")]
    return [*experiment_words, *arm.overrides, *rest]


def _quoted(value: Any) -> str:
    """A value as an override has it."""
    return value if isinstance(value, str) and value.isidentifier() else json.dumps(value)
