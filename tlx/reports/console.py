"""Where lines and tables are printed: no control character of a name reaches a terminal, and no output fails the work.

A pipe whose reader is gone (``| head``), a full disk (``> file``) or a closed output (``>&-``) takes the rest of what
is printed with it, and nothing else: the record of the work is in its run folder.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from tlx.files.printable import printable

_LOST = "tlx: standard output {reason}; the work goes on, and its record is in the run folder"


class Terminal(Console):
    """rich's console, for text that others chose: neither markup nor control characters in it are followed."""

    def __init__(self, **options: Any) -> None:
        """Take rich's options; nothing is highlighted, and lines are not broken unless ``soft_wrap`` is false."""
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, "soft_wrap": True} | options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make rich's text of a string, in :meth:`print` and in tables alike."""
        return super().render_str(printable(text, lines=True), **options)

    def on_broken_pipe(self) -> None:
        """Leave it to the stream: rich would end the process with a failure."""
        raise Closed("")


class Closed(Exception):
    """Nothing more can be printed, which ends a verb that does nothing else; empty where the reader has had enough."""


class Steady:
    """A stream that goes silent, instead of failing, once it cannot be written to."""

    def __init__(self, stream: TextIO, number: int, goes_on: bool) -> None:
        """Wrap a stream.

        Args:
            stream: What is written to.
            number: Of the process's file descriptor that it is, 1 or 2, which is led to nowhere once it fails; 0: none,
                or one that belongs to somebody else's program.
            goes_on: Else a failure is :class:`Closed`.
        """
        self._stream = stream
        self._number = number
        self._goes_on = goes_on
        self._lost = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Is it a terminal, and one that still shows something?"""
        return not self._lost and self._stream.isatty()

    def write(self, text: str) -> int:
        """Write, or drop what cannot be written."""
        if not self._lost:
            try:
                return self._stream.write(text)
            except (OSError, ValueError) as error:  # ValueError: closed
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or drop what cannot be written."""
        if not self._lost:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._lose(error)

    def _lose(self, error: Exception) -> None:
        """Send what is still to come, of children too, to nowhere; say so once."""
        self._lost = True
        with suppress(OSError, ValueError):  # a stream without a file descriptor, as in tests
            if self._number and self._stream.fileno() == self._number:
                to_nowhere(self._number)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is closed"
        if not self._goes_on:
            raise Closed("" if isinstance(error, BrokenPipeError) else reason) from error
        if self._number == 1:
            say_lost("has no reader any more" if isinstance(error, BrokenPipeError) else f"cannot be written: {reason}")


def say_lost(reason: str) -> None:
    """Say why no more is printed."""
    print(_LOST.format(reason=reason), file=sys.stderr, flush=True)


def to_nowhere(number: int) -> None:
    """Lead a file descriptor to ``/dev/null``."""
    handle = os.open(os.devnull, os.O_WRONLY)
    if handle != number:
        os.dup2(handle, number)
        os.close(handle)
