"""The space of a search: checked as a whole before the first trial, and turned into Optuna's words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tlx.config.errors import ConfigIssue, suggest

_KEYS = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``: whole ones where both are; on a log scale, or in steps."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def is_whole(self) -> bool:
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))


@dataclass(frozen=True)
class Choice:
    """One of several values, each as JSON, as Optuna keeps only plain ones."""

    words: tuple[str, ...]


Dimension = Range | Choice


def read(space: Mapping[str, Any]) -> tuple[dict[str, Dimension], list[ConfigIssue]]:
    """The dimensions by setting, and what is wrong with them."""
    found: dict[str, Dimension] = {}
    problems = [] if space else [ConfigIssue("search.space", "empty: nothing would be searched")]
    for key, given in space.items():
        faults = list(_faults(f"search.space.{key}", given))
        problems += faults
        if faults:
            continue
        found[key] = Choice(tuple(map(json.dumps, given))) if isinstance(given, list) else Range(**given)
    return found, problems


def _faults(key: str, given: Any) -> Iterator[ConfigIssue]:
    if isinstance(given, list):
        if len(given) < 2:
            yield ConfigIssue(key, "expected two choices or more", given)
        return
    if not isinstance(given, Mapping):
        yield ConfigIssue(key, "expected a list of choices, or {low: ..., high: ...}", given)
        return
    for name in given:
        if name not in _KEYS:
            yield ConfigIssue(f"{key}.{name}", f"unknown key{suggest(str(name), _KEYS)}; expected {', '.join(_KEYS)}")
    numbers = [given.get(name) for name in ("low", "high")]
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers):
        yield ConfigIssue(key, "expected numbers for low and high", dict(given))
        return
    low, high = given["low"], given["high"]
    if low >= high:
        yield ConfigIssue(key, f"low has to be below high, not {low} and {high}")
    if given.get("log") and low <= 0:
        yield ConfigIssue(f"{key}.low", "expected a number above 0 for a log scale", low)
    if given.get("log") and given.get("step") is not None:
        yield ConfigIssue(f"{key}.step", "a log scale has no steps", given["step"])


def propose(trial: Any, space: Mapping[str, Dimension]) -> None:
    """Let an Optuna trial choose a value on every dimension."""
    for key, dimension in space.items():
        if isinstance(dimension, Choice):
            trial.suggest_categorical(key, dimension.words)
        elif dimension.is_whole:
            trial.suggest_int(key, dimension.low, dimension.high, step=int(dimension.step or 1), log=dimension.log)
        else:
            trial.suggest_float(key, dimension.low, dimension.high, step=dimension.step, log=dimension.log)


def values(params: Mapping[str, Any], space: Mapping[str, Dimension]) -> dict[str, Any]:
    """What an Optuna trial chose, as settings."""
    return {key: json.loads(params[key]) if isinstance(space[key], Choice) else params[key] for key in space}


def grid(space: Mapping[str, Dimension]) -> tuple[dict[str, list[Any]], list[ConfigIssue]]:
    """The values of a grid; a range has to have steps, or whole numbers."""
    found: dict[str, list[Any]] = {}
    problems = []
    for key, dimension in space.items():
        if isinstance(dimension, Choice):
            found[key] = list(dimension.words)
        elif dimension.step is None and not dimension.is_whole:
            problems.append(ConfigIssue(f"search.space.{key}", "a grid needs a step, or a list of choices"))
        else:
            step = dimension.step or 1
            count = int((dimension.high - dimension.low) / step + 1e-9) + 1
            found[key] = [dimension.low + i * step for i in range(count)]
    return found, problems
