"""What makes two trials the same: everything that decides the numbers, and nothing else.

The release of tlx is no part of it. In its stead a component (a kind of backbone, of data set, of task, of regulariser)
is registered with a *numerics version*. Whoever changes the bits that it gives raises it, and the golden trials of the
tests fail until that is done; ``TRAINING`` is the version of what all trials share.

An option that is added later names the value at which it changes nothing (``neutral=``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from tlx.config.fields import IDENTITY, NEUTRAL

FORMAT = 2  # of what is hashed, and of the folders that are named by it; 1 was that of tlx 0.1
TRAINING = 1


def identity_fields(node: Any, *, neutral: bool = True) -> Any:
    """Write a configuration as plain data, without the options that say where and how it runs.

    Args:
        node: A configuration, or a part of one.
        neutral: Keep the options whose value changes nothing; they are not hashed.
    """
    if is_dataclass(node) and not isinstance(node, type):
        return {
            option.name: identity_fields(value, neutral=neutral)
            for option in fields(node)
            if option.metadata.get(IDENTITY, True)
            for value in [getattr(node, option.name)]
            if neutral or NEUTRAL not in option.metadata or value != option.metadata[NEUTRAL]
        }
    if isinstance(node, Mapping):
        return {str(key): identity_fields(value, neutral=neutral) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [identity_fields(value, neutral=neutral) for value in node]
    return node


def identity(config: Any, fingerprints: Mapping[str, str], numerics: Mapping[str, int]) -> str:
    """The trial's identity, 16 hexadecimal digits.

    Args:
        config: Its resolved configuration.
        fingerprints: Of what the configuration only points at: the data, the weights.
        numerics: The numerics version of each part, where it is not the first.
    """
    canon = {
        "format": FORMAT,
        "config": identity_fields(config, neutral=False),
        "fingerprints": dict(fingerprints),
        "numerics": dict(numerics),
    }
    text = json.dumps(canon, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
