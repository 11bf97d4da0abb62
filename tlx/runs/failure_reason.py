"""How a trial ended that did not finish: a status, the reason in a line, and what to do about it."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from tlx.files.printable import printable
from tlx.files.secrets import redacted

OOM = (
    "out of memory; smaller: hardware.accumulate=2 (the same batch in halves), hardware.precision=bf16-mixed, "
    "hardware.gradient_checkpointing=true, strategy.batch_size"
)
_DISK = {  # what a disk may say of a write, and what to do about it
    errno.ENOSPC: "the disk is full; make room and run the same command again",
    errno.EDQUOT: "your share of the disk is used up; make room and run the same command again",
    errno.EROFS: "the disk can only be read; run the same command again when it can be written to",
    errno.EACCES: "the folder may not be written to; change its permissions and run the same command again",
    errno.EPERM: "the folder may not be written to; change its permissions and run the same command again",
    errno.EIO: "the disk reports a failure; run the same command again when it is sound",
    errno.EMFILE: "too many open files (ulimit -n); run the same command again",
    errno.ENOENT: "the run folder was removed while the trial ran; run the same command again",
    errno.ESTALE: "the network drive lost the run folder; run the same command again",
}
_OOM = ("out of memory", "can't allocate memory", "cannot allocate memory")


def failure_reason(error: BaseException) -> dict[str, str]:
    """The fields of an event log's ``end``."""
    status = "KILLED" if isinstance(error, (KeyboardInterrupt, SystemExit)) else "FAILED"
    trace = "".join(traceback.format_exception(error))
    return {"status": status, "reason": redacted(reason(error)), "traceback": redacted(trace)}


def told(error: BaseException) -> str:
    """The traceback as it can be printed: without secrets of addresses, control characters written out."""
    return printable(redacted("".join(traceback.format_exception(error))), lines=True).rstrip()


def reason(error: BaseException) -> str:
    """The error in a line; what it hides, as tearing a trainer down can raise an error of its own; and advice."""
    first = _first(error)
    text = f"{type(first).__name__}: {first}"
    if first is not error:
        text += f" (then {type(error).__name__}: {error})"
    advice = _advice(first)
    return f"{text} [{advice}]" if advice else text


def _first(error: BaseException) -> BaseException:
    while error.__cause__ is None and error.__context__ is not None and not error.__suppress_context__:
        error = error.__context__
    return error


def _advice(error: BaseException) -> str:
    if isinstance(error, MemoryError) or any(words in str(error).lower() for words in _OOM):
        return OOM
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _DISK[error.errno]
    return ""


def trouble(error: BaseException, folder: Path) -> str:
    """What the disk did to a trial, in a line with what to do; empty for any other error, whose traceback counts.

    Args:
        error: What ended the trial.
        folder: Its run folder.
    """
    first = _first(error)
    if not isinstance(first, OSError) or first.errno not in _DISK:
        return ""
    if first.errno == errno.ENOENT and folder.is_dir():  # another file than ours is missing
        return ""
    return f"{first.strerror}: {_DISK[first.errno]}"
