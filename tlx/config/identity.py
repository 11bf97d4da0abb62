"""What makes two trials the same: everything that decides the numbers, and nothing else.

The release of tlx is no part of it. In its stead the options of a component (a kind of backbone, of data set, of task,
or the strategy) carry a *numerics version*, ``NUMERICS``, 1 where they name none. Whoever changes the bits that a
component gives raises it, and the golden trials of the tests fail until that is done; ``TRAINING`` is the version of
what all trials share. An option that is added later names the value at which it changes nothing (``neutral=``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
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


def numerics(config: Any) -> dict[str, int]:
    """The numerics version of each component of a trial, where it is not the first."""
    found = {"training": TRAINING, **dict(_versions(config, ""))}
    return {component: version for component, version in found.items() if version != 1}


def _versions(node: Any, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, (list, tuple)):
        for inner in node:
            yield from _versions(inner, path)
    elif is_dataclass(node):
        yield path, getattr(node, "NUMERICS", 1)
        for option in fields(node):
            yield from _versions(getattr(node, option.name), f"{path}.{option.name}".lstrip("."))


def identity(config: Any, fingerprints: Mapping[str, str]) -> str:
    """The trial's identity, 16 hexadecimal digits.

    Args:
        config: Its resolved configuration.
        fingerprints: Of what the configuration only points at: the data, the weights.
    """
    canon = {
        "format": FORMAT,
        "config": identity_fields(config, neutral=False),
        "fingerprints": dict(fingerprints),
        "numerics": numerics(config),
    }
    text = json.dumps(canon, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
