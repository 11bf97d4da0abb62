"""tlx schema [experiment | GROUP] [--out FILE]: JSON Schema of the files you write, for your editor.

tlx schema --out experiment.schema.json     of experiments; the default
tlx schema backbone                         of an option of a group, such as conf/backbone/mine.yaml
A file that begins with  # yaml-language-server: $schema=experiment.schema.json  is completed and checked as you type.
"""

from __future__ import annotations

import json
from pathlib import Path

from tlx.cli import target
from tlx.cli.arguments import Arguments
from tlx.composition import json_schema
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.schema import EXPERIMENT, GROUPS
from tlx.files import durable
from tlx.files.printable import printable


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.value("--out", "a file to write")
    asked = arguments.take(words)
    names = (EXPERIMENT, *GROUPS)
    what = asked.words[0] if asked.words else EXPERIMENT
    if what not in names or len(asked.words) > 1:
        hint = suggest(what, names) or f"; expected one of {', '.join(names)}"
        raise ConfigError([ConfigIssue("schema", f"not a kind of file{hint}", " ".join(asked.words))])
    found = json_schema.of_experiment() if what == EXPERIMENT else json_schema.of_group(what)
    text = json.dumps(found, indent=1, ensure_ascii=False)
    if asked.out is None:
        print(text)
        return 0
    head = text[: text.index(found["title"]) + len(found["title"])]
    target.check("--out", Path(asked.out), head, f"schema of {what}")
    durable.write(Path(asked.out), text + "\n")
    print(f"schema: {printable(asked.out)}")
    return 0
