"""What a single value may be, wherever it comes from: limits that no experiment comes near, but an attack does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tlx.composition import interpolations

LONGEST = 20_000  # letters of one value
DEEPEST = 24  # lists and mappings within each other; OmegaConf walks them by recursion
MOST = 10_000  # values within one setting, or in one file
_BITS = 63  # of a whole number, its sign aside: what torch, numpy and databases take


def faults(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Find what no setting takes.

    Args:
        value: A plain value: a scalar, or lists and mappings of them.
        key: Its dotted key.

    Yields:
        The dotted key of each value that is refused, and what was expected.
    """
    waiting: list[tuple[str, Any, int]] = [(key, value, 0)]
    seen = 0
    while waiting:
        at, one, depth = waiting.pop()
        seen += 1
        if seen > MOST:
            yield key, f"holds more than {MOST:,} values"
            return
        if depth > DEEPEST:
            yield key, f"is nested more than {DEEPEST} deep"
            return
        if isinstance(one, dict):
            for name, inner in one.items():
                waiting.append((f"{at}.{name}" if at else str(name), inner, depth + 1))
                if isinstance(name, str) and (fault := text_fault(name)):
                    yield at, f"has a key that {fault}"
        elif isinstance(one, (list, tuple)):
            waiting += [(f"{at}.{i}" if at else str(i), inner, depth + 1) for i, inner in enumerate(one)]
        elif fault := _fault(one):
            yield at, fault


def text_fault(text: str) -> str:
    """Say what a text has that no setting, name or path can hold; empty where there is nothing."""
    if len(text) > LONGEST:
        return f"has {len(text):,} letters; at most {LONGEST:,} are read"
    if "\0" in text:
        return "holds a NUL byte"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    return ""


def _fault(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > _BITS:
        return f"expected a whole number below 2^{_BITS}"
    if isinstance(value, str):
        return text_fault(value) or interpolations.fault(value)
    if value is None or isinstance(value, (bool, int, float)):
        return ""
    return f"expected a word, a number, true, false, null, a list or keys and values, not a {type(value).__name__}"
