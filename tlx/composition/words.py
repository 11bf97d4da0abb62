"""Settings given from Python, as words of the command line: text, lists of words, nested or dotted keys and values.

Everything is written in Hydra's grammar and read from it again, so Python and the command line cannot differ.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import GROUPS

Words = str | Iterable[str] | Mapping[str, Any]
CHOICE = "choice"  # in a group's mapping: which of its options, beside settings of that option
_WHOLE = ("study", "search", "sweep", "hydra")  # whose lists are lists, and whose mappings have keys of all kinds
_KEY = re.compile(r"\+{0,2}[A-Za-z_$][\w$-]*(?:[./](?:[A-Za-z_$][\w$-]*|0|[1-9][0-9]*))*", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)  # a text that needs no quotes
_END = r"\w./@$%*+?|()\[\]{}:=,\-"
_INNER = re.compile(rf"[A-Za-z_](?:[{_END} ]*[{_END}])?", re.ASCII)  # a key that braces can hold
_NO_TEXT = {"null", "true", "false", "inf", "nan"}  # in any case, they are other values


def written(words: Words, settings: Mapping[str, Any] | None = None, *, varies: bool = False) -> list[str]:
    """Write settings as overrides in Hydra's grammar.

    Args:
        words: One text, split as a shell does; or overrides; or keys and values, nested or dotted.
        settings: More keys and values, after those.
        varies: A list or a range gives several values, as commas do; a list among them is one value.

    Raises:
        ConfigError: With everything that cannot be written.
    """
    writer = _Writer(varies)
    found: list[str] = []
    if isinstance(words, str):
        found += _split(words, writer)
    elif isinstance(words, Mapping):
        found += writer.settings(words)
    else:
        given: Any = words
        if not isinstance(given, Iterable):
            message = f"expected a text, a list, or keys and values, not a {type(given).__name__}"
            raise ConfigError([ConfigIssue("overrides", message)])
        for word in given:
            if isinstance(word, str):
                found.append(word)
            else:
                message = f"expected key=value in a list of overrides, not a {type(word).__name__}"
                writer.problems.append(ConfigIssue(str(word), message))
    found += writer.settings(settings or {})
    if writer.problems:
        raise ConfigError(writer.problems)
    return found


def _split(text: str, writer: _Writer) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        writer.problems.append(ConfigIssue(text, f"cannot be split into words: {error}; quote as in a shell"))
        return []


class _Writer:
    """Writes keys and values; what cannot be written is in ``problems``."""

    def __init__(self, varies: bool) -> None:
        self.varies = varies
        self.problems: list[ConfigIssue] = []

    def settings(self, given: Mapping[str, Any]) -> Iterator[str]:
        """The overrides of a mapping whose keys are whole: ``strategy``, ``strategy.lr``."""
        for key, value in given.items():
            if not isinstance(key, str) or not _KEY.fullmatch(key):
                self.problems.append(ConfigIssue(str(key), "not a key; write it as in strategy.lr"))
            elif isinstance(value, Mapping) and "." not in key:
                if key in GROUPS and CHOICE in value:
                    yield self._setting(key, value[CHOICE])
                for name, inner in value.items():
                    if key not in GROUPS or name != CHOICE:
                        yield from self._below(f"{key}.{name}", inner)
            else:
                yield from self._below(key, value)

    def _below(self, key: str, value: Any) -> Iterator[str]:
        """A setting; a mapping is Hydra's mapping, but for one that holds what is varied, or keys that has not."""
        walks = isinstance(value, Mapping) and key.partition(".")[0] not in _WHOLE
        if walks and (not _is_in_braces(value) or (self.varies and _holds_several(value))):
            for name, inner in value.items():
                yield from self._below(f"++{key.lstrip('+')}.{name}", inner)  # it may be a new key, where any are taken
        else:
            yield self._setting(key, value)

    def _setting(self, key: str, value: Any) -> str:
        plain = key.lstrip("+")
        if not _KEY.fullmatch(key):
            self.problems.append(ConfigIssue(key, "not a key; write it as in strategy.lr", value))
            return ""
        if self.varies and plain.partition(".")[0] not in _WHOLE and (several := _several(value)) is not None:
            if not several:
                self.problems.append(ConfigIssue(plain, "no values are given; to set an empty list, write [[]]", []))
            if plain in GROUPS and any(isinstance(one, Mapping) for one in several):
                message = f"options of a group are varied by name; settings go beside it: {plain}.<setting>=..."
                self.problems.append(ConfigIssue(plain, message))
                return ""
            return f"{key}={','.join(self._element(one, plain) for one in several)}"
        return f"{key}={self._element(value, plain)}"

    def _element(self, value: Any, key: str) -> str:
        """A value within Hydra's grammar."""
        value = _as_python(value)
        if value is None:
            return "null"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int):
            return str(int(value))
        if isinstance(value, float):
            return repr(float(value))
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, Mapping):
            pairs = [f"{self._inner(name, key)}:{self._element(one, f'{key}.{name}')}" for name, one in value.items()]
            return f"{{{','.join(pairs)}}}"
        if (several := _several(value)) is not None:
            return f"[{','.join(self._element(one, key) for one in several)}]"
        expected = "None, a bool, a number, a text, a path, a list, or keys and values"
        self.problems.append(ConfigIssue(key, f"expected {expected}, not a {type(value).__name__}"))
        return "null"

    def _inner(self, name: Any, key: str) -> str:
        """A key within braces."""
        if not _is_inner(name):
            message = f"{name!r} cannot be a key here; put this setting into an experiment file"
            self.problems.append(ConfigIssue(key, message))
            return "_"
        return re.sub(r"([()\[\]{}:=, ])", r"\\\1", str(name).lower() if isinstance(name, bool) else str(name))


def _is_inner(name: Any) -> bool:
    """Can this be a key within braces?"""
    if isinstance(name, int):
        return True
    return isinstance(name, str) and bool(_INNER.fullmatch(name)) and name.lower() not in _NO_TEXT


def _is_in_braces(value: Any) -> bool:
    """Can a mapping, with all within it, be written in braces?"""
    inner = value.values() if isinstance(value, Mapping) else _several(value) or ()
    names = value if isinstance(value, Mapping) else ()
    return all(map(_is_inner, names)) and all(map(_is_in_braces, inner))


def _holds_several(value: Mapping[Any, Any]) -> bool:
    """Is there a list in a mapping, or in one within it?"""
    return any(_holds_several(one) if isinstance(one, Mapping) else _several(one) is not None for one in value.values())


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXT:
        return text
    return QuotedString(text, Quote.single).with_quotes()


def _as_python(value: Any) -> Any:
    """A path as text, numpy's numbers and arrays as Python's; others as they are."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _several(value: Any) -> list[Any] | None:
    """The items of a list, a tuple, a range or an array; None for anything else."""
    value = _as_python(value)
    return list(value) if isinstance(value, (list, tuple, range)) else None
