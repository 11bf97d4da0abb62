"""Blocks of a page that show commands with what they print: run again, and compared but for numbers and times."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VOLATILE = re.compile(r"^([\w-]+: \d+/\d+ trials|step \d|runs/\S+: warning)|  (unknown|differs) (code|flags)")


def programs(folder: Path) -> Path:
    """A folder in which ``tlx`` and ``python`` are those of the tests."""
    folder.mkdir()
    (folder / "tlx").write_text(f'#!/bin/sh\nexec {sys.executable} -m tlx "$@"\n')
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for program in folder.iterdir():
        program.chmod(0o755)
    return folder


def told(block: str, folder: Path, environment: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The block with what its commands print now.

    Args:
        block: Its lines; commands begin with ``$``.
        folder: Where they run.
        environment: Of the commands.
        names: What stands in a page for a part of what is printed, such as a path.
    """
    lines = []
    for command in (line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**environment, "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said = done.stdout
        assert "Traceback" not in said, said
        for found, name in names.items():
            said = said.replace(found, name)
        lines += [f"$ {command}", *(line.rstrip() for line in said.splitlines() if not VOLATILE.search(line))]
    return "```console\n" + "\n".join(lines) + "\n```"


def compared(page: Path, found: str) -> None:
    """See that a page says what was found; with ``TLX_RENEW_README`` in the environment, have it say so."""
    if os.environ.get("TLX_RENEW_README"):
        page.write_text(found)
    assert _comparable(found) == _comparable(page.read_text())


def _comparable(text: str) -> list[str]:
    """The lines without numbers, hashes and the widths of columns."""
    text = re.sub(r"\b[0-9a-f]{8,}\b", "#", text)
    text = re.sub(r"[-+]?\d[\d,.]*(e[-+]?\d+)?", "#", text)
    return [re.sub(r"[\s~|-]+", " ", line).strip() for line in text.splitlines()]
