"""How option fields say more than their type: the words they allow, and whether they decide the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

CHOICES = "choices"
REFUSED = "refused"  # words a user might expect, each with the reason why it is not one of the choices
IDENTITY = "identity"
SHORT = "short"  # the field that stands for the whole part where a word is given in its place: optimizer=sgd


def choice(*words: str, short: bool = False, aside: bool = False, refused: Mapping[str, str] | None = None) -> Any:
    """Make a ``str`` field that takes one of ``words``; the first is the default.

    Args:
        words: What it takes.
        short: The field stands for its part, where one word is given in place of keys and values.
        aside: It says where or how a trial runs, not what it computes: left out of its identity.
        refused: Words that a user might expect, each with the reason why it is none of the choices.
    """
    metadata: dict[str, Any] = {CHOICES: words}
    metadata |= {SHORT: True} if short else {}
    metadata |= {IDENTITY: False} if aside else {}
    metadata |= {REFUSED: dict(refused)} if refused else {}
    return dataclasses.field(default=words[0], metadata=metadata)


def short(default: str) -> Any:
    """Make a ``str`` field that stands for its part, where one word is given in place of keys and values."""
    return dataclasses.field(default=default, metadata={SHORT: True})


def aside(default: Any) -> Any:
    """Make a field that says where or how a trial runs, not what it computes: left out of its identity."""
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata={IDENTITY: False})
    return dataclasses.field(default=default, metadata={IDENTITY: False})
