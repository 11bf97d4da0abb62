"""What a request is told, as the tests of this folder ask for it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import tlx
from tlx.composition import rules
from tlx.config.errors import ConfigError, ConfigIssue

BASE = ("backbone=resnet18", "dataset=digits")


def problems(overrides: Sequence[str]) -> list[ConfigIssue]:
    """The problems of a request that is refused."""
    with pytest.raises(ConfigError) as caught:
        tlx.compose(overrides)
    return caught.value.problems


def the_problem(overrides: Sequence[str]) -> ConfigIssue:
    """The one problem of a request."""
    found = problems(overrides)
    assert len(found) == 1, found
    return found[0]


def told(*overrides: str) -> dict[str, str]:
    """The problems of a request, key -> message; none when it is right."""
    try:
        tlx.compose(overrides)
    except ConfigError as error:
        return {problem.key: problem.message for problem in error.problems}
    return {}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of four cores and one GPU."""
    monkeypatch.setattr(rules, "cores", lambda: 4)
    monkeypatch.setattr(rules, "gpus", lambda: 1)
