"""Random trees of files, folders, links and pipes, made and looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import strategies as some

Tree = dict[str, Any]  # names to contents: text, a tree, or ("link", where to)


def trees(
    names: some.SearchStrategy[str], links: tuple[str, ...] = ("..", ".", "/nowhere")
) -> some.SearchStrategy[Any]:
    """Trees of up to three levels whose names are drawn from ``names``."""
    files = some.one_of(
        some.text("xy", max_size=3), some.tuples(some.just("link"), some.sampled_from(links)), some.just(("pipe",))
    )
    return some.recursive(
        some.dictionaries(names, files, max_size=4),
        lambda inner: some.dictionaries(names, some.one_of(files, inner), max_size=4),
        max_leaves=12,
    )


def made(folder: Path, tree: Tree) -> None:
    """Make a tree on the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = folder / name
        if isinstance(content, dict):
            made(path, content)
        elif isinstance(content, tuple) and content[0] == "link":
            path.symlink_to(content[1])
        elif isinstance(content, tuple):
            os.mkfifo(path)
        else:
            path.write_text(content)


def shown(folder: Path) -> dict[str, str]:
    """Everything below a folder, by its path from there; links are shown and not followed."""
    found: dict[str, str] = {}
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = f"-> {os.readlink(path)}"
            elif path.is_file():
                found[key] = path.read_text(errors="replace")
            elif not path.is_dir():
                found[key] = "pipe"
            elif not any(path.iterdir()):
                found[key] = "empty"
    return found
