"""Regular expressions of users: what Python's ``re`` finds, and an end after a second whatever they are.

``re`` can search for ever, and nothing in its process can stop it. A pattern with more than two repetitions, or with a
repeated group, is therefore searched for in a process of its own, whose time and memory the system limits; the others
end by themselves, as names are short.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache

SECONDS = 1  # of a processor, that one pattern may take for all the names it is given
_MANY = 50_000  # names, for each of which there is a second more
LONGEST = 1000  # letters of a pattern
_PATIENCE = 120.0  # seconds on the clock, where the processors are busy with something else
_MEMORY = 1 << 30  # bytes
_SEARCH = f"""
import json, re, resource, sys, warnings
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
warnings.simplefilter("ignore")
pattern, names = json.load(sys.stdin)
found = re.compile(pattern)
json.dump([match and [match[0], *match.groups()] for match in map(found.search, names)], sys.stdout)
"""
_REPEATS = re.compile(r"[*+?{]")
_ENDS_BY_ITSELF = 2  # repetitions; with names of 100 letters that is a millisecond each at worst


class Refused(ValueError):
    """A pattern cannot be read, or takes too long; the message says which, in a line."""


def check(pattern: str) -> None:
    """See that a pattern can be read; raises :class:`Refused`."""
    _compiled(pattern)


def found(pattern: str, names: Iterable[str]) -> list[str]:
    """Search for a pattern in names.

    Args:
        pattern: A regular expression in Python's syntax.
        names: Where to look for it; a match anywhere in a name counts.

    Returns:
        The names in which it is found, in their order.

    Raises:
        Refused: It is no regular expression, or it takes longer than :data:`SECONDS`.
    """
    compiled = _compiled(pattern)
    if _ends(pattern):
        return [name for name in names if compiled.search(name)]
    names = tuple(names)
    return [name for name, match in zip(names, _elsewhere(pattern, names), strict=True) if match is not None]


def captured(pattern: str, names: Sequence[str]) -> list[str | None]:
    """What the first group of a pattern matches in each name; None where it does not.

    Raises:
        Refused: As :func:`found`, or the pattern has not exactly one group.
    """
    compiled = _compiled(pattern)
    if compiled.groups != 1:
        raise Refused(f"has {compiled.groups} groups; expected one in parentheses, the others as (?:...)")
    if _ends(pattern):
        return [match[1] if (match := compiled.search(name)) else None for name in names]
    return [None if match is None else match[1] for match in _elsewhere(pattern, tuple(names))]


def _ends(pattern: str) -> bool:
    """Does a search end soon, whatever it is for? A repeated group or a backreference may hold more repetitions."""
    return len(_REPEATS.findall(pattern)) <= _ENDS_BY_ITSELF and not re.search(r"\)[*+{]", pattern)


@lru_cache(64)
def _elsewhere(pattern: str, names: tuple[str, ...]) -> list[list[str | None] | None]:
    """Each match and its groups, None where there is none, found in a process of its own.

    Python starts in 20 ms without its site packages.
    """
    seconds = SECONDS + len(names) // _MANY
    command = [sys.executable, "-I", "-S", "-c", _SEARCH, str(seconds)]
    try:
        done = subprocess.run(
            command, input=json.dumps([pattern, names]).encode(), capture_output=True, timeout=_PATIENCE, check=True
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):  # its limits end it: the pattern itself is sound
        message = f"takes more than {seconds} s: repetitions within each other, as in (a+)+, try every division"
        raise Refused(f"{message}; write it with fewer") from None
    matches: list[list[str | None] | None] = json.loads(done.stdout)
    return matches


@lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    if len(pattern) > LONGEST:
        raise Refused(f"has {len(pattern):,} letters; a regular expression may have {LONGEST:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on what later versions of Python may read otherwise
            return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise Refused(f"not a regular expression: {error or type(error).__name__}") from None
