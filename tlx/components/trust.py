"""Which projects a user has trusted to bring code: kept in the user's own settings, never in the project."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, foreign

VARIABLE = "TLX_TRUST"  # 1: whatever project the command is run in; or the digest of the one that is


def require(folder: Path, modules: Sequence[str]) -> None:
    """Refuse a project whose plugins are not trusted; one that is, is for the processes that this one starts, too.

    Raises:
        ConfigError: With the file, and the command that trusts it.
    """
    known = _known().get(str(folder))
    if not is_granted(folder, modules):
        how = "lists other plugins than you trusted" if known else "lists plugins, which are code, and is not trusted"
        message = f"{how}; look at it, then: tlx plugins trust (or {VARIABLE}=1 for this command)"
        raise ConfigError([ConfigIssue(str(folder / "pyproject.toml"), message, ", ".join(modules))])
    if os.environ.get(VARIABLE) != "1":
        os.environ[VARIABLE] = digest(folder, modules)


def grant(folder: Path, modules: Sequence[str]) -> Path:
    """Trust a project, as long as it lists these plugins.

    Returns:
        The file that says so.

    Raises:
        ConfigError: It cannot be written.
    """
    return _write(_known() | {str(folder): digest(folder, modules)})


def revoke(folder: Path) -> bool:
    """Trust a project no longer; False where it was not trusted."""
    known = _known()
    if known.pop(str(folder), None) is None:
        return False
    _write(known)
    return True


def is_granted(folder: Path, modules: Sequence[str]) -> bool:
    """Is a project trusted, by the user's settings or by the environment?"""
    wanted = digest(folder, modules)
    return wanted in (_known().get(str(folder)), os.environ.get(VARIABLE)) or os.environ.get(VARIABLE) == "1"


def digest(folder: Path, modules: Sequence[str]) -> str:
    """What is trusted: a folder, and what it lists."""
    return hashlib.sha256(json.dumps([str(folder), *modules]).encode(errors="surrogateescape")).hexdigest()[:32]


def file() -> Path:
    """Where it is kept: in the user's folder of settings."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "tlx" / "trusted.json"


def _known() -> dict[str, str]:
    try:
        found: dict[str, str] = foreign.json_file(file(), dict[str, str])
        return found
    except FileNotFoundError:
        return {}
    except foreign.Unreadable as error:
        raise ConfigError([ConfigIssue(str(file()), f"{error}; remove it, and trust your projects again")]) from None


def _write(known: dict[str, str]) -> Path:
    try:
        durable.make_folder(file().parent)
        durable.write(file(), json.dumps(known, indent=1, sort_keys=True))
    except OSError as error:
        message = f"cannot be written: {error.strerror}; {VARIABLE}=1 trusts for one command"
        raise ConfigError([ConfigIssue(str(file()), message)]) from None
    return file()
