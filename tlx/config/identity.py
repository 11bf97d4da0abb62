"""What makes two trials the same: everything that decides the numbers, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from tlx.config.fields import IDENTITY
from tlx.version import VERSION


def identity_fields(node: Any) -> Any:
    """A configuration as plain data, without the options marked as asides (paths, devices, logging)."""
    if is_dataclass(node):
        kept = (option for option in fields(node) if option.metadata.get(IDENTITY, True))
        return {option.name: identity_fields(getattr(node, option.name)) for option in kept}
    if isinstance(node, Mapping):
        return {str(key): identity_fields(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [identity_fields(value) for value in node]
    return node


def identity(config: Any, facts: Mapping[str, str]) -> str:
    """The trial's identity, 16 hexadecimal digits.

    ``facts`` are what the configuration only points at: the fingerprint of the data, the hash of the weights.
    """
    canon = {"config": identity_fields(config), "facts": dict(facts), "tlx": VERSION}
    text = json.dumps(canon, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
