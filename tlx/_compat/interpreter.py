"""How the process of a command begins and ends: a small one would spend half its time on garbage and on clearing up."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

_ALLOCATIONS = 10_000  # between two looks for garbage; of the default, 700, imports are a tenth dearer


def collect_less_often() -> None:
    """Have Python look for garbage less often than it would: what libraries make on import stays."""
    gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])


def exit_now(code: int) -> NoReturn:
    """End the process as ``sys.exit(code)`` would, but give no object back: all that torch made takes long to undo.

    Threads are waited for, what was registered with :mod:`atexit` runs (temporary folders, loggers, child processes),
    and streams are flushed, in Python's order.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # has no reader any more, is closed, or was never there
            stream.flush()
    os._exit(code)
