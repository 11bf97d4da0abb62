"""OmegaConf's nodes as they are, before interpolations are resolved and where values are missing."""

from __future__ import annotations

from typing import Any


def node_at(config: Any, key: Any) -> Any:
    """The node at a key or an index, unresolved; None where there is none."""
    return config._get_node(key)


def element_type(node: Any) -> Any:
    """The type of the values of a list or a free mapping; ``Any`` where it takes all."""
    return node._metadata.element_type


def is_none(node: Any) -> bool:
    """Is it null?"""
    return bool(node._is_none())


def is_missing(node: Any) -> bool:
    """Has it to be given, and is not?"""
    return bool(node._is_missing())


def is_interpolation(node: Any) -> bool:
    """Does it refer to something else?"""
    return bool(node._is_interpolation())


def is_optional(node: Any) -> bool:
    """May it be null?"""
    return bool(node._is_optional())
