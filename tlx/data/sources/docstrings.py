"""The standard library's docstrings, labelled by the package that holds them: real English text, no download."""

from __future__ import annotations

import ast
import re
import sys
import sysconfig
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from tlx.columns import Label, Text
from tlx.config.dataset import Docstrings
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.fingerprint import of_text
from tlx.data.source import Source

_SHORTEST = 40  # characters
_LEAST = 20  # examples of a package, or it is left out


def fingerprint(config: Docstrings) -> str:
    """The texts come with Python: its version is their version."""
    return of_text("docstrings-1-python-" + ".".join(map(str, sys.version_info[:3])))


def load(config: Docstrings) -> Source:
    """Docstrings of functions, classes and modules, the package's own name masked."""
    texts: list[str] = []
    names: list[str] = []
    places: list[str] = []
    library = Path(sysconfig.get_path("stdlib"))
    for package in config.packages:
        folder, module = library / package, library / f"{package}.py"
        if not folder.is_dir() and not module.is_file():
            raise DataError(
                [ConfigIssue("dataset.packages", "not a package of this Python's standard library", package)]
            )
        files = sorted(folder.rglob("*.py")) if folder.is_dir() else [module]
        found = [(text, place) for file in files for text, place in _of_file(file)]
        if len(found) < _LEAST:
            continue
        for text, place in found:
            texts.append(re.sub(package, "_", text, flags=re.IGNORECASE))
            names.append(package)
            places.append(place)
    columns = [Text("text"), Label("label")]
    return Source(columns, {"text": texts, "label": names}, splits={}, origin=lambda i: places[i])


def _of_file(file: Path) -> list[tuple[str, str]]:
    if "test" in file.parts or "tests" in file.parts or file.name.startswith("test"):
        return []
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = []
    for node in _statements(tree):
        if isinstance(node, kinds):
            text = ast.get_docstring(node) or ""
            if len(text) > _SHORTEST:
                found.append((text, f"{file.name}:{getattr(node, 'lineno', 1)}"))
    return found


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """What can hold a definition, in the order of ``ast.walk``, which looks into every expression as well."""
    waiting: deque[ast.AST] = deque([tree])
    while waiting:
        node = waiting.popleft()
        yield node
        waiting.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, _HOLDERS))


_HOLDERS = (ast.stmt, ast.ExceptHandler, ast.match_case)
