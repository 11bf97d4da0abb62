"""The one refusal of what is no input of a model, and the words that it is told in."""

from __future__ import annotations

from typing import Any

import numpy as np


class InvalidInput(ValueError):
    """A row is no input of the model; the message says why, in a line fit for whoever sent it."""


def kind_of(value: Any) -> str:
    """What a value is, for messages."""
    if isinstance(value, (list, tuple, dict, set)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"an array {list(value.shape)} of {value.dtype}"
    return "nothing" if value is None else f"{type(value).__name__}"


def first_line(error: Exception) -> str:
    """What somebody else's code has raised, in a line."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
