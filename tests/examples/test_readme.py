"""The README of the example: every command is run, and what it prints is what stands there, but for numbers and times.

``TLX_RENEW_README=1 pytest tests/examples/test_readme.py -m long`` writes what they print now.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.own_parts import EXAMPLE, Project

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VOLATILE = re.compile(r"^([\w-]+: \d+/\d+ trials|step \d|runs/\S+: warning)|  (unknown|differs) (code|flags)")


@pytest.mark.long
def test_every_command_prints_what_the_readme_says(folder: Path) -> None:
    project = Project(folder / "own_parts")
    project.tlx("plugins", "trust", "--revoke")
    (project.folder / "patients.sqlite").unlink()
    place = folder / "bin"
    place.mkdir()
    (place / "tlx").write_text(f'#!/bin/sh\nexec {sys.executable} -m tlx "$@"\n')
    (place / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for program in place.iterdir():
        program.chmod(0o755)
    readme = EXAMPLE / "README.md"
    found = BLOCK.sub(lambda block: _told(block[1], project, place), readme.read_text())
    if os.environ.get("TLX_RENEW_README"):
        readme.write_text(found)
    assert _comparable(found) == _comparable(readme.read_text())


def _told(block: str, project: Project, programs: Path) -> str:
    """The block with what its commands print now."""
    lines = []
    for command in (line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")):
        environment = {**project.environment, "PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "120"}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=project.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stdout, done.stdout
        said = done.stdout.replace(str(project.folder), "/home/you/own_parts").replace(str(project.folder.parent), "~")
        lines += [f"$ {command}", *(line.rstrip() for line in said.splitlines() if not VOLATILE.search(line))]
    return "```console\n" + "\n".join(lines) + "\n```"


def _comparable(text: str) -> list[str]:
    """The lines without numbers, hashes and the widths of columns."""
    text = re.sub(r"\b[0-9a-f]{8,}\b", "#", text)
    text = re.sub(r"[-+]?\d[\d,.]*(e[-+]?\d+)?", "#", text)
    return [re.sub(r"[\s~|-]+", " ", line).strip() for line in text.splitlines()]
