"""Options of verbs, as ``--jobs 4``: settings are Hydra's overrides, these are about the command itself."""

from __future__ import annotations

from tlx.config.errors import ConfigError, Problem


def number(words: list[str], name: str, what: str) -> tuple[list[str], int | None]:
    """The other words, and the number after ``name``; null without it; raises :class:`ConfigError` for other words."""
    if name not in words:
        return words, None
    at = words.index(name)
    value = words[at + 1] if at + 1 < len(words) else ""
    if not value.isdigit() or int(value) < 1:
        raise ConfigError([Problem(name, f"expected {what}", value)])
    return words[:at] + words[at + 2 :], int(value)
