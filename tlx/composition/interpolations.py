"""Interpolations: values that are taken from another setting (``${seed}``) or the environment (``${oc.env:HOME}``).

Nothing else is resolved: no other resolver, and none within another. So what a file can read is told by looking at it,
and what it grows to can be counted beforehand.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from omegaconf import OmegaConf

LARGEST = 100_000  # what all values grow to, in values or hundreds of letters
ENDLESS = "refers to itself, or to values that grow without end; write the value itself"
_LONGEST = 20  # references that lead from one to the next
_BEGIN = re.compile(r"(?P<escapes>\\*)\$\{")
_VARIABLE = re.compile(r"\s*oc\.env\s*:\s*(?P<name>[^,\s]*)\s*(,[^{}]*)?")
_SECRET = re.compile(
    r"TOKEN|PASSW|PASSPHRASE|SECRET|CREDENTIAL|APIKEY|(^|_)(PASS|KEYS?|AUTH)(_|$)|(ACCESS|PRIVATE|SIGNING)KEY",
    re.IGNORECASE,
)
_log = logging.getLogger(__name__)


def fault(text: str) -> str:
    """Say why a text's interpolations are refused; empty where they are not, or where there are none."""
    for body, closed in _bodies(text):
        if "${" in body or "{" in body:
            return "has an interpolation within another; write ${key} or ${oc.env:NAME}"
        if not closed or ":" not in body:  # a key, or nothing that OmegaConf can read: it says so
            continue
        variable = _VARIABLE.fullmatch(body)
        if variable is None:
            resolver = body.partition(":")[0].strip()
            return f"the resolver {resolver}: is not one that is read; write ${{key}} or ${{oc.env:NAME}}"
        if _SECRET.search(variable["name"]):
            reason = "looks like a secret, and settings are recorded with the run"
            return f"${variable['name']} {reason}; leave it to the program that reads it from the environment"
    return ""


def variables(text: str) -> list[str]:
    """The environment variables that a text reads."""
    found = (_VARIABLE.fullmatch(body) for body, _ in _bodies(text))
    return [match["name"] for match in found if match is not None]


def announce(names: Iterable[str]) -> None:
    """Say, once for each, that the values of environment variables will be recorded."""
    for name in names:
        _announce(name)


@cache
def _announce(name: str) -> None:
    _log.warning("tlx: a setting takes the value of $%s, which is recorded with the run", ascii(name)[1:-1])


def growing(config: Any, given: Iterable[tuple[str, Any]] = ()) -> str:
    """Find a reference without an end, or one whose values would fill the memory ("billion laughs").

    Args:
        config: A configuration, nothing of which is resolved by this.
        given: Settings to be laid over it, by their dotted keys.

    Returns:
        The key where it begins; empty where there is none.
    """
    over = list(given)
    tree = OmegaConf.to_container(config, resolve=False) if OmegaConf.is_config(config) else config
    if not any("${" in text for text in texts([tree, [value for _, value in over]])):
        return ""
    for key, value in over:
        _lay(tree, key.split("."), value)
    return _Weights(tree).heaviest()


class _Weights:
    """What each value of a tree grows to, once everything it refers to is put in its place."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self.known: dict[tuple[str, ...], int] = {}
        self.open: list[tuple[str, ...]] = []

    def heaviest(self) -> str:
        """The first key at which the tree becomes too large; empty where it does not."""
        total = 0
        for path, text in _leaves(self.tree):
            total += self._of(path, text)
            if total > LARGEST:
                return ".".join(path)
        return ""

    def _of(self, path: tuple[str, ...], node: Any) -> int:
        if path in self.known:
            return self.known[path]
        if path in self.open or len(self.open) > _LONGEST:
            return LARGEST + 1
        self.open.append(path)
        weight = 1
        if isinstance(node, str):
            weight += len(node) // 100
            for body, _ in _bodies(node) if "${" in node else ():
                if ":" not in body:
                    weight += self._of(*self._target(path, body.strip()))
        elif isinstance(node, (dict, list)):
            for below, text in _leaves(node):
                weight += self._of((*path, *below), text)
                if weight > LARGEST:
                    break
        self.open.pop()
        self.known[path] = min(weight, LARGEST + 1)
        return self.known[path]

    def _target(self, path: tuple[str, ...], body: str) -> tuple[tuple[str, ...], Any]:
        """The path a reference leads to, as far as the tree goes, and what is there."""
        dots = len(body) - len(body.lstrip("."))
        steps = [step for step in re.split(r"[.\[\]]+", body) if step]
        wanted = (*(path[: max(0, len(path) - dots)] if dots else ()), *steps)
        node, at = self.tree, 0
        for step in wanted:
            inner = _child(node, step)
            if inner is _NOWHERE:
                break
            node, at = inner, at + 1
        if at < len(wanted) and not isinstance(node, str):  # leads to nothing: OmegaConf says so
            return ("", *wanted), None
        return wanted[:at], node


_NOWHERE = object()


def _child(node: Any, step: str) -> Any:
    if isinstance(node, dict):
        return next((value for key, value in node.items() if str(key) == step), _NOWHERE)
    if isinstance(node, list) and step.isdigit() and len(step) < 9 and int(step) < len(node):
        return node[int(step)]
    return _NOWHERE


def _lay(tree: Any, steps: list[str], value: Any) -> None:
    """Put a value into a tree, where there is a place for it."""
    for step in steps[:-1]:
        inner = _child(tree, step)
        if not isinstance(inner, (dict, list)):
            if not isinstance(tree, dict):
                return
            inner = tree[step] = {}
        tree = inner
    if isinstance(tree, dict):
        tree[steps[-1]] = value
    elif _child(tree, steps[-1]) is not _NOWHERE:
        tree[int(steps[-1])] = value


def _leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _leaves(value, (*path, str(index)))
    else:
        yield path, node


def texts(node: Any) -> Iterator[str]:
    """Every text within a plain value."""
    return (leaf for _, leaf in _leaves(node) if isinstance(leaf, str))


def _bodies(text: str) -> Iterator[tuple[str, bool]]:
    """What stands between ``${`` and the next ``}``, and whether there is one; escaped ones are text."""
    for begin in _BEGIN.finditer(text):
        if len(begin["escapes"]) % 2 == 0:
            body, end, _ = text[begin.end() :].partition("}")
            yield body, bool(end)
