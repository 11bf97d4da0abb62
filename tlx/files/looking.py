"""How far a long look at files is: told to whoever shows it, and to nobody where nobody does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_shown: list[Shows] = []  # the last one shows


class Shows(Protocol):
    """Shows one look at a time, from its beginning to its end."""

    def begin(self, verb: str, noun: str, total: int) -> None:
        """Hear of a look, such as ``looking at``, ``images``, and at how many."""

    def step(self, done: int) -> None:
        """Hear how many there were so far."""

    def end(self) -> None:
        """Hear that it is over, or has failed."""


@contextmanager
def shown_by(shows: Shows) -> Iterator[None]:
    """Have looks inside shown."""
    _shown.append(shows)
    try:
        yield
    finally:
        _shown.remove(shows)


class Step(Protocol):
    """Says that one more has been looked at, or how many have been so far."""

    def __call__(self, so_far: int | None = None) -> None: ...


@contextmanager
def counting(verb: str, noun: str, total: int) -> Iterator[Step]:
    """Look at so many of something inside; what is given is to be called after each, or now and then with how many.

    Args:
        verb: What is done, such as ``looking at``.
        noun: With what, such as ``images``.
        total: How many there are.
    """
    if not (_shown and total):
        yield lambda so_far=None: None
        return
    shows, done = _shown[-1], 0

    def step(so_far: int | None = None) -> None:
        nonlocal done
        done = done + 1 if so_far is None else so_far
        shows.step(done)

    shows.begin(verb, noun, total)
    try:
        yield step
    finally:
        shows.end()
