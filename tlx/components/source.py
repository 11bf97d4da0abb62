"""The code of parts that tlx does not bring: a hash of it is in a trial's identity.

It is read once in a process, when it is first asked for: what was imported is what runs, whatever is written later.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from tlx.components import bytecode
from tlx.config.errors import ConfigError, ConfigIssue

MAIN = "__main__"
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def files(top: str) -> dict[str, str]:
    """A hash of every Python file of a top-level package or module, by its name in it.

    Of one that is not installed, the modules and packages that lie beside it and that it imports count as well.

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
        functions: What is hashed in place of files where there are none, as in a notebook.
    """
    found: object = sorted(_files(top).items())
    return hashlib.sha256(json.dumps(found or bytecode.digest(functions)).encode()).hexdigest()[:32]


def is_installed(place: Path) -> bool:
    """Does it lie among installed packages?"""
    return not _INSTALLED.isdisjoint(place.parts)


@cache
def _files(top: str) -> dict[str, str]:
    module = sys.modules.get(top) or import_module(top)
    folders = [Path(place) for place in getattr(module, "__path__", [])]
    file = getattr(module, "__file__", None)
    if not folders and not file:
        return {}
    named = dict(_of_package(folders)) if folders else {Path(str(file)).name: Path(str(file))}
    root = (folders[0] if folders else Path(str(file))).parent
    try:
        if not is_installed(root):
            _add_neighbours(named, root, "../" if folders else "")
        return {name: hashlib.sha256(path.read_bytes()).hexdigest()[:32] for name, path in sorted(named.items())}
    except OSError as error:
        raise ConfigError([ConfigIssue(f"plugin {top}", f"cannot be read: {error.strerror}", error.filename)]) from None


def _of_package(folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path


def _add_neighbours(named: dict[str, Path], root: Path, prefix: str) -> None:
    """Add what lies in the same folder and is imported by what there is, by what that imports, and so on."""
    waiting, seen = list(named.values()), {path.resolve() for path in named.values()}
    while waiting:
        for name in _imported(waiting.pop()):
            module, package = root / f"{name}.py", root / name
            inner = {f"{name}/{part}": path for part, path in _of_package([package])} if package.is_dir() else {}
            found = {module.name: module} if module.is_file() else inner
            new = {f"{prefix}{part}": path for part, path in found.items() if path.resolve() not in seen}
            named |= new
            waiting += new.values()
            seen |= {path.resolve() for path in new.values()}


def _imported(path: Path) -> set[str]:
    """The top-level names that a file imports."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # whoever imports it is told
        return set()
    whole = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    whole |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in whole}
