"""Addresses of stores: a database file and its URL, made and read by SQLAlchemy so that they mean the same file.

In a URL ``%``, ``?`` and ``#`` stand for something else; a folder may be called anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PLAIN = re.compile(r"[\w./\-]+", re.ASCII)  # a path that is the same in a URL, whoever reads it
_SQLITE = re.compile(r"sqlite(?:\+\w+)?://", re.IGNORECASE)
_OPTIONS = ("timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements")
_PORTS = {"postgresql": 5432, "postgres": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433}


class InvalidAddress(ValueError):
    """A place or an address cannot be used; the message says why, and what to write instead."""


def of_file(path: Path) -> str:
    """The URL of a database file, given by its absolute path.

    Raises:
        Unusable: No URL leads there.
    """
    text = str(path)
    if _PLAIN.fullmatch(text):
        return f"sqlite:///{text}"
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        # MLflow makes the folder of a sqlite:/// URL without decoding it; with a driver's name it leaves that to us
        urls = [URL.create(name, database=text).render_as_string(False) for name in ("sqlite", "sqlite+pysqlite")]
        url = urls[0] if urls[0] == f"sqlite:///{text}" else urls[1]
        reached = make_url(url).database
    except (UnicodeError, ArgumentError):
        reached = None
    if reached != text:
        raise InvalidAddress(f"{text!r} cannot be written as a URL; work in a folder with a plainer name")
    return url


def file_of(url: str) -> Path | None:
    """The database file of a sqlite URL; None for any other store; raises :class:`InvalidAddress`."""
    found = _SQLITE.match(url)
    if found is None:
        return None
    rest = url[found.end() :]
    if rest[:1] == "/" and _PLAIN.fullmatch(rest, 1):
        return Path(rest[1:])
    return Path(_parsed(url).database or ":memory:")


def absolute(url: str) -> str:
    """A sqlite URL with the absolute path of its file; that of another store as it is.

    Raises:
        Unusable: It leads to no file, or to another one than it seems to.
    """
    path = file_of(url)
    if path is None:
        return url
    _, _, rest = url.partition("://")
    if str(path) == ":memory:" and rest[:1] in ("", "/"):
        raise InvalidAddress("is gone when the command ends; name a file, as in sqlite:///mlflow.db")
    if rest[1:] == str(path):
        return of_file(Path(os.path.abspath(path)))
    parsed = _parsed(url)
    if parsed.host or parsed.username:
        raise InvalidAddress("expected sqlite:///file.db, or sqlite:////folder/file.db")
    raw, _, options = rest[1:].partition("?")
    if set(parsed.query) - set(_OPTIONS) or (options and not parsed.query):
        raise InvalidAddress("has options behind the ? that are none; a ? in the name of a file is written %3F")
    if str(path) != raw and Path(raw).parent.is_dir() and not path.parent.is_dir():
        raise InvalidAddress("has a % that stands for another letter; the % of a name is written %25")
    made = of_file(Path(os.path.abspath(path)))
    return f"{made}?{options}" if options else made


def _parsed(url: str) -> Any:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    name, colon, rest = url.partition(":")
    try:
        return make_url(name.lower() + colon + rest)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise InvalidAddress("is not the address of a database") from None


def endpoint(url: str) -> tuple[str, int] | None:
    """Host and port of a database server that one connection leads to; None for other stores."""
    base = url.partition(":")[0].lower().partition("+")[0]
    if base not in _PORTS:
        return None
    try:
        parsed = _parsed(url)
    except InvalidAddress:  # the store says so
        return None
    if not parsed.host or {"host", "hostaddr", "service", "odbc_connect"} & set(parsed.query):
        return None
    return parsed.host, parsed.port or _PORTS[base]


def artifacts(folder: Path, experiment: str) -> str:
    """The URL of an experiment's artifacts in a folder; whatever the experiment is called, it does not lead out."""
    import hashlib

    name = re.sub(r"[^\w .+\-]", "-", experiment)[:100]
    if not name or name != experiment.replace("/", "-") or name.strip(". ") != name:
        name = f"{name.strip('. ')}-{hashlib.sha256(experiment.encode()).hexdigest()[:8]}"
    return (folder / name).as_uri()


def named(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The other words of a command, and the store that ``tracking.uri=...`` names among them."""
    key = "tracking.uri="
    found = [word.removeprefix(key) for word in words if word.startswith(key)]
    chosen = found[-1] if found else ""
    if chosen[:1] in ("'", '"') and chosen[-1:] == chosen[:1]:
        chosen = chosen[1:-1]
    return [word for word in words if not word.startswith(key)], chosen if chosen not in ("", "null") else None
