"""Files that a verb is asked to write: nothing but what it wrote itself is replaced."""

from __future__ import annotations

import os
from pathlib import Path

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import foreign


def check(option: str, path: Path, mark: str, what: str) -> None:
    """Refuse a file that is there and was not written by this verb, or that has no folder.

    Args:
        option: Under which it was named, for the message.
        path: Where to write.
        mark: How what the verb writes begins.
        what: What that is, for the message.

    Raises:
        ConfigError: It cannot be written there.
    """
    message = ""
    if not path.absolute().parent.is_dir():
        message = f"there is no such folder; first: mkdir -p {path.parent}"
    elif os.path.lexists(path) and not begins(path, mark):
        message = f"is there already and is no {what}; name another"
    if message:
        raise ConfigError([ConfigIssue(option, message, path)])


def begins(path: Path, mark: str) -> bool:
    """Is it a regular file that begins so?"""
    try:
        with foreign.reading(path) as stream:
            return stream.read(len(mark.encode())) == mark.encode()
    except (OSError, foreign.Unreadable):
        return False
