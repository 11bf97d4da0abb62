"""What verbs print: it never ends or fails the work (:mod:`tlx.reports.console`).

A letter that the terminal's encoding lacks is written out (``\\u2026``).
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from tlx.reports.console import Steady, say_lost, to_nowhere


@contextmanager
def steady(works: bool) -> Iterator[None]:
    """Make the process's outputs safe while a verb runs.

    Args:
        works: The verb does work, which goes on without them; of the others the first failure is the end.

    Raises:
        Closed: The standard output of a verb that does no work cannot be written.
    """
    before = sys.stdout, sys.stderr
    out, closed = _opened(sys.stdout, 1)
    err, _ = _opened(sys.stderr, 2)
    sys.stderr = cast(TextIO, Steady(err, 2, goes_on=True))
    sys.stdout = cast(TextIO, Steady(out, 1, goes_on=works))
    if closed and works:
        say_lost("is closed")
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        finally:
            sys.stderr.flush()
            sys.stdout, sys.stderr = before


def _opened(stream: TextIO | None, number: int) -> tuple[TextIO, bool]:
    """The stream, and whether it was closed before we began: then the next file to be opened would take its number."""
    if stream is None:
        to_nowhere(number)
        nowhere = io.FileIO(number, "w", closefd=False)
        return io.TextIOWrapper(io.BufferedWriter(nowhere), errors="backslashreplace", line_buffering=True), True
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream, False
