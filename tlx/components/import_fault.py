"""Why code of others cannot be imported, in one line that ends with the place to look at."""

from __future__ import annotations

import traceback
from pathlib import Path

_OURS = str(Path(__file__).parents[1])


def reason(error: BaseException) -> str:
    """What is wrong, and the last line of their own code that led to it."""
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    first = (said or type(error).__name__).splitlines()[0]
    return f"cannot be imported: {type(error).__name__}: {first} ({_place(error)})"


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [one for one in frames if not one.filename.startswith((_OURS, "<frozen importlib"))]
    last = (theirs or frames)[-1]
    return f"{last.filename}:{last.lineno}"
