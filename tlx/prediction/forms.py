"""The forms in which a model is given inputs in memory: one, a list of them, a table; each is answered in kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from tlx.columns import Column
from tlx.columns.batch import Batch
from tlx.config.errors import ConfigIssue, InputError
from tlx.prediction import answers
from tlx.prediction.refused import InvalidInput
from tlx.prediction.values import NewWords

_SHOWN = 100  # rows that are named in a refusal; the others are counted
Compute = Callable[[Batch], list[Any]]  # something for each example of a batch


class Answers(Protocol):
    """A trained model."""

    @property
    def inputs(self) -> dict[str, Column]:
        """What it reads, by column."""

    def stream(self, values: Iterable[Any], compute: Compute, batch_size: int | None = None) -> Iterator[Any]:
        """An answer for each value, or an :class:`InvalidInput` that says why there is none."""

    def looked_at(self, value: Any) -> Mapping[str, Any] | InvalidInput:
        """A value as the network reads it, or why it is no input."""


def answered(
    model: Answers, x: Any, several: Callable[[list[Any]], Any], compute: Compute, batch_size: int | None
) -> Any:
    """One answer for one input, several for a list, a table for a table.

    Args:
        model: That answers.
        x: An input, a list of them, or a DataFrame.
        several: Puts the answers for a list together.
        compute: What is wanted of a batch.
        batch_size: Inputs that go through the network together.

    Raises:
        InputError: With all that are none.
    """
    if hasattr(x, "to_dict") and hasattr(x, "columns"):  # a DataFrame; pandas is not imported for all others
        return answers.frame(_all(model, x.to_dict("records"), compute, batch_size), x.index)
    if isinstance(x, (list, tuple)):
        return several(_all(model, list(x), compute, batch_size))
    try:
        (found,) = _all(model, [x], compute, batch_size)
    except InputError as error:
        raise InputError([replace(problem, key="input") for problem in error.problems]) from error
    return found


def _all(model: Answers, values: list[Any], compute: Compute, batch_size: int | None) -> list[Any]:
    found, words = [], NewWords(model.inputs)
    for row, one in enumerate(model.stream(values, compute, batch_size)):
        if isinstance(one, InvalidInput):
            raise _refusal(model, values, row)
        words.look(values[row])
        found.append(one)
    for line in words.lines():
        warnings.warn(line, stacklevel=4)
    return found


def _refusal(model: Answers, values: list[Any], first: int) -> InputError:
    """All rows that are no input, from the first of them on; they are looked at, and nothing more is computed."""
    looked = ((row, model.looked_at(values[row])) for row in range(first, len(values)))
    wrong = [ConfigIssue(f"row {row}", str(one)) for row, one in looked if isinstance(one, InvalidInput)]
    more = [ConfigIssue("...", f"and {len(wrong) - _SHOWN:,} more rows")] if len(wrong) > _SHOWN else []
    return InputError([*wrong[:_SHOWN], *more])
