"""How option fields say more than their type: the words they allow, and whether they decide the result."""

from __future__ import annotations

import dataclasses
from typing import Any

CHOICES = "choices"
REFUSED = "refused"  # words a person might expect, each with the reason why it is not one of the choices
IDENTITY = "identity"


def choice(*words: str) -> Any:
    """A ``str`` field that takes one of ``words``; the first is the default."""
    return dataclasses.field(default=words[0], metadata={CHOICES: words})


def aside(default: Any) -> Any:
    """A field that says where or how a trial runs, not what it computes: left out of its identity."""
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata={IDENTITY: False})
    return dataclasses.field(default=default, metadata={IDENTITY: False})
