"""Build what a stranger configured without asking anybody: no connection is made, whatever a library tries."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"})
_here = threading.local()


class Outside(Exception):
    """Something that is built from a folder asks for a connection."""


@contextmanager
def offline() -> Iterator[None]:
    """Let this thread make no connection while the block runs; raises :class:`Outside` where something tries to."""
    _watch()
    before = getattr(_here, "closed", False)
    _here.closed = True
    try:
        yield
    finally:
        _here.closed = before


@cache
def _watch() -> None:
    """Python tells an audit hook of every connection before it is made; a hook stays as long as the process."""
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS and getattr(_here, "closed", False):
        raise Outside("it asks for a connection; what lies in a folder is read without any")
