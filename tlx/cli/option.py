"""Options of verbs, as ``--jobs 4``: settings are Hydra's overrides, these are about the command itself."""

from __future__ import annotations

from tlx.config.errors import ConfigError, Problem


def word(words: list[str], name: str, what: str) -> tuple[list[str], str | None]:
    """The other words, and the one after ``name``; null without it; raises :class:`ConfigError` if none follows."""
    if name not in words:
        return words, None
    at = words.index(name)
    if at + 1 == len(words):
        raise ConfigError([Problem(name, f"expected {what}", "")])
    return words[:at] + words[at + 2 :], words[at + 1]


def number(words: list[str], name: str, what: str) -> tuple[list[str], int | None]:
    """The other words, and the number after ``name``; null without it; raises :class:`ConfigError` for other words."""
    rest, value = word(words, name, what)
    if value is None:
        return rest, None
    if not value.isdecimal() or len(value) > 9 or int(value) < 1:
        raise ConfigError([Problem(name, f"expected {what}", value)])
    return rest, int(value)
