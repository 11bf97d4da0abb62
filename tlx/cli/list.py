"""tlx list [group]: the options of every group, or of one with what each is.

tlx list
tlx list strategy
"""

from __future__ import annotations

import json
from pathlib import Path

from tlx.cli.arguments import Arguments
from tlx.components.registry import of_group
from tlx.composition import files, search_path
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.schema import EXPERIMENT, GROUPS
from tlx.files import foreign
from tlx.files.printable import printable


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.flag("--json")
    asked = arguments.take(words)
    words, groups = asked.words, [*GROUPS, EXPERIMENT]
    if asked.json:
        print(
            json.dumps({group: search_path.options(group) for group in groups if group in words or not words}, indent=2)
        )
        return 0
    if not words:
        for group in groups:
            print(f"{group:<11} {' '.join(map(printable, search_path.options(group)))}")
        return 0
    group = words[0]
    if group not in groups:
        hint = suggest(group, groups) or f"; the groups are {', '.join(groups)}"
        raise ConfigError([ConfigIssue("group", f"not a group{hint}", group)])
    options = search_path.options(group)
    width = max(map(len, options), default=0)
    for option in options:
        path = search_path.find(group, option)
        said = _said(path) if path else (of_group(group)[option].config.__doc__ or "").strip().partition("\n")[0]
        print(f"{printable(option):<{width}}  {printable(said)}")
    if group == "backbone":
        from tlx.composition.timm_names import timm_architectures

        print(f"\nand any of timm's {len(timm_architectures())} architectures by name, e.g. backbone=resnet34,")
        print("or backbone=timm backbone.name=resnet34.a1_in1k for certain weights of it")
    return 0


def _said(path: Path) -> str:
    """What a file says of itself, or why it cannot be read."""
    try:
        return _first_comment(files.document(path)[0])
    except FileNotFoundError:
        return "(a link to nothing)"
    except foreign.Unreadable as error:
        return f"({error})"


def _first_comment(text: str) -> str:
    lines = (line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
    return next((line for line in lines if not line.startswith("@package")), "")
