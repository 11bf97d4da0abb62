"""The source code of parts that tlx does not bring: a hash of it is in a trial's identity.

It is read once in a process, when it is first asked for: what was imported is what runs, whatever is written later.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import linecache
import sys
import uuid
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from tlx.config.errors import ConfigError, ConfigIssue

MAIN = "__main__"


def files(top: str) -> dict[str, str]:
    """A hash of every Python file of a top-level package or module, by its name in it.

    Args:
        top: Its name; ``__main__`` is a script.

    Returns:
        Empty for what has no file, such as a notebook.

    Raises:
        ConfigError: A file cannot be read.
    """
    return dict(_files(top))


def digest(top: str, functions: Iterable[object] = ()) -> str:
    """32 hexadecimal digits that change when a line of the code does.

    Args:
        top: The name of a top-level package or module.
        functions: What is hashed in place of files where there are none, as in a notebook. What has no source at all
            (``python -c``) is another thing in every process.
    """
    found: Mapping[str, str] = _files(top)
    if not found:
        linecache.checkcache()
        found = {getattr(one, "__qualname__", ""): _of_text(_source(one, top)) for one in functions}
    return _of_text(json.dumps(sorted(found.items())))


@cache
def _files(top: str) -> dict[str, str]:
    module = sys.modules.get(top) or import_module(top)
    folders = [Path(place) for place in getattr(module, "__path__", [])]
    named = [(path.relative_to(folder).as_posix(), path) for folder in folders for path in sorted(folder.rglob("*.py"))]
    if not folders and (file := getattr(module, "__file__", None)):
        named = [(Path(file).name, Path(file))]
    try:
        return {name: hashlib.sha256(path.read_bytes()).hexdigest()[:32] for name, path in named if path.is_file()}
    except OSError as error:
        raise ConfigError([ConfigIssue(f"plugin {top}", f"cannot be read: {error.strerror}", error.filename)]) from None


def _source(function: object, top: str) -> str:
    try:
        return inspect.getsource(function)  # type: ignore[arg-type]
    except (OSError, TypeError):
        message = "the source of {} is in no file: trials with it are this process's own, and none is found again"
        warnings.warn(message.format(getattr(function, "__qualname__", top)), stacklevel=2)
        return _PROCESS


def _of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


_PROCESS = uuid.uuid4().hex
