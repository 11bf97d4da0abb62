"""tlx init [experiment]: copy a shipped experiment, and what it starts from, to ./experiments. Never overwrites.

tlx init quickstart
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tlx.cli.arguments import Arguments
from tlx.composition import search_path
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.files import durable


def run(words: list[str]) -> int:
    """The verb."""
    words = Arguments().take(words).words
    name = words[0].removeprefix("experiment=") if words else "quickstart"
    shipped = {path.stem: path for path in search_path.shipped_experiments().glob("*.yaml")}
    if name not in shipped:
        hint = suggest(name, shipped) or f"; there are {', '.join(sorted(shipped))}"
        raise ConfigError([ConfigIssue("experiment", f"not a shipped experiment{hint}", name)])
    wanted = [name, *sorted(set(re.findall(r"trial:(\w+)", shipped[name].read_text(encoding="utf-8"))) & set(shipped))]
    targets = [Path("experiments") / f"{one}.yaml" for one in wanted]
    there = [
        ConfigIssue(str(path), "is there already; it was left as it is") for path in targets if os.path.lexists(path)
    ]
    if there:
        raise ConfigError(there)
    for one, target in zip(wanted, targets, strict=True):
        try:
            target.parent.mkdir(exist_ok=True)
            durable.write(target, shipped[one].read_bytes())
        except OSError as error:
            raise ConfigError([ConfigIssue(str(target), f"cannot be written: {error.strerror}")]) from error
        print(target)
    print(f"edit them, then: tlx plan experiment={name}; tlx sweep experiment={name}")
    return 0
