"""Words of the command line, by Hydra's grammar: each read safely, and the trials of a sweep counted before they are
written out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from copy import copy
from decimal import Decimal
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.errors import HydraException

from tlx.composition import values
from tlx.config.errors import ConfigError, ConfigIssue

_SELECTOR = re.compile(r"[A-Za-z_][A-Za-z_0-9:.]*\[[-0-9:%]*\]")  # stages[-2:], as strategies write them
_PATTERN = re.compile(r"\}[\w./-]|[\w./-]\{")  # {image}_B{02,03}.tif, as the files of an image are called
# besides Hydra's own: lists too deep for its parser, numbers too long for Python
_UNREADABLE = (HydraException, RecursionError, ValueError, ArithmeticError)


@lru_cache(4096)
def parsed(text: str) -> Override:
    """Read one override; the trials of a sweep have most of theirs in common.

    Raises:
        ConfigError: It is none; the problem's key is the text.
    """
    if fault := values.text_fault(text):
        raise ConfigError([ConfigIssue(text, f"not an override: {fault}")])
    try:
        return OverridesParser.create().parse_override(text)
    except _UNREADABLE as error:
        raise ConfigError([ConfigIssue(text, f"not an override: {_reason(text, error)}")]) from None


def _reason(text: str, error: Exception) -> str:
    """Say what is wrong with a word in terms of what was typed, where that can be told."""
    key, sign, value = text.partition("=")
    if isinstance(error, RecursionError):
        return f"nested more than {values.DEEPEST} deep; write key=value"
    if sign and value.rstrip().endswith(","):
        return f"a value is missing after the last comma; write {key}={value.rstrip().rstrip(',')}"
    if sign and _SELECTOR.search(value):
        quoted = _SELECTOR.sub(lambda found: f'"{found[0]}"', value)
        return f"a name with brackets is put in quotes; write '{key}={quoted}'"
    if sign and _PATTERN.search(value) and not set(value) & set("\"'"):
        return f"a text with braces is put in quotes; write '{key}=\"{value}\"'"
    return f"{(str(error) or 'unreadable').splitlines()[0]}; write key=value"


def with_options(override: Override, loader: Any) -> Override:
    """The same override, whose ``glob(...)`` knows the options there are by Hydra's ``loader``."""
    found = copy(override)
    found.config_loader = loader
    return found


def trials(found: Iterable[Override]) -> int:
    """Count the trials of a multirun without writing them out; raises :class:`ConfigError`."""
    lengths: dict[str, int] = {}  # the last word on a key counts
    problems = []
    for override in found:
        try:
            lengths[override.get_key_element()] = _length(override)
        except (HydraException, ValueError, ArithmeticError) as error:
            problems.append(ConfigIssue(override.key_or_group, str(error).splitlines()[0]))
    if problems:
        raise ConfigError(problems)
    return math.prod(lengths.values())


def _length(override: Override) -> int:
    if not override.is_sweep_override():
        return 1
    sweep = override.value()
    if not isinstance(sweep, RangeSweep):
        return sum(1 for _ in override.sweep_iterator())  # what was typed, or the options of a group
    numbers = [sweep.start, sweep.stop, sweep.step]
    if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in numbers):
        raise ValueError("expected numbers in range(start,stop,step)")
    start, stop, step = (Decimal(one) for one in numbers)  # type: ignore[arg-type]
    if not step:
        raise ValueError("expected a step other than zero in range(start,stop,step)")
    return max(0, math.ceil((stop - start) / step))
