"""How much one request to a served model may ask for: each limit has a default, a variable and an option."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue

HELP = "help"
_PREFIX = "TLX_SERVE_"


def _limit(default: int, text: str) -> Any:
    return field(default=default, metadata={HELP: text})


@dataclass(frozen=True)
class Limits:
    """The most of a request; whatever is over one of them is answered with the reason, before any work is done."""

    rows: int = _limit(256, "inputs of a request")
    bytes: int = _limit(32 << 20, "bytes of a request's body (pictures grow by a third in base64)")
    pixels: int = _limit(25_000_000, "pixels of one picture, as it is sent and as it is resized")
    total_pixels: int = _limit(100_000_000, "pixels of all pictures of a request")
    letters: int = _limit(100_000, "letters of one text")
    total_letters: int = _limit(1_000_000, "letters of all texts of a request")
    values: int = _limit(1_000_000, "commas and brackets of a request's JSON or CSV (a picture as lists has many)")
    depth: int = _limit(16, "lists and objects within each other in JSON")
    connections: int = _limit(32, "connections at a time; the model answers one request after the other")
    seconds: int = _limit(30, "seconds for a request's body to arrive")


def variable(name: str) -> str:
    """The environment variable of a limit."""
    return f"{_PREFIX}{name.upper()}"


def option(name: str) -> str:
    """The option of ``tlx serve`` for a limit."""
    return f"--max-{name.replace('_', '-')}"


def settled(chosen: Mapping[str, str] | None = None, environment: Mapping[str, str] = os.environ) -> Limits:
    """The limits that options ask for, else variables, else the defaults.

    Args:
        chosen: By name of the limit, the words after its option.
        environment: By variable.

    Returns:
        All limits.

    Raises:
        ConfigError: One is no whole number from 1 on, or a variable ``TLX_SERVE_...`` is none of a limit.
    """
    names = [one.name for one in fields(Limits)]
    known = {variable(name) for name in names}
    problems = [
        ConfigIssue(name, f"no such limit; there are {', '.join(sorted(known))}", environment[name])
        for name in sorted(environment)
        if name.startswith(_PREFIX) and name not in known
    ]
    found: dict[str, int] = {}
    for name in names:
        where, value = variable(name), environment.get(variable(name))
        if chosen and name in chosen:
            where, value = option(name), chosen[name]
        if value is None:
            continue
        if re.fullmatch("[0-9]{1,15}", value, re.ASCII) and int(value) > 0:
            found[name] = int(value)
        else:
            problems.append(ConfigIssue(where, "expected a whole number from 1 on", value))
    if problems:
        raise ConfigError(problems)
    return Limits(**found)


def described() -> str:
    """A line for each limit: option, variable, default, help."""
    return "\n".join(
        f"  {option(one.name):<20} {variable(one.name):<24} {one.default:>11,}  {one.metadata[HELP]}"
        for one in fields(Limits)
    )
