"""Looks at data in another process, shown in the one that a person waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from tlx.files.looking import counting


@dataclass(frozen=True)
class _Begins:
    verb: str
    noun: str
    total: int


@dataclass(frozen=True)
class _Is:
    done: int


@dataclass(frozen=True)
class _Ends:
    pass


class SentLooks:
    """Sends what it hears of looks to the other end of a connection, where :func:`received` has them shown.

    Example:
        >>> with shown_by(SentLooks(connection)):
        ...     connection.send(read(config))
    """

    PERIOD = 0.1  # seconds from one word on how far a look is to the next

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection, self._clock = connection, clock
        self._sent = -self.PERIOD

    def begin(self, verb: str, noun: str, total: int) -> None:
        """Send that a look begins."""
        self._connection.send(_Begins(verb, noun, total))

    def step(self, done: int) -> None:
        """Send how many there were, now and then."""
        if (now := self._clock()) - self._sent >= self.PERIOD:
            self._sent = now
            self._connection.send(_Is(done))

    def end(self) -> None:
        """Send that it is over."""
        self._connection.send(_Ends())


def received(connection: Connection) -> Any:
    """The next value that is sent, once the looks before it are over, which are shown as those of this process are.

    Raises:
        EOFError: The other process has ended without one.
    """
    while isinstance(one := connection.recv(), _Begins):
        with counting(one.verb, one.noun, one.total) as step:
            while not isinstance(word := connection.recv(), _Ends):
                step(word.done)
    return one
