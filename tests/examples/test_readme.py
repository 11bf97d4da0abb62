"""The README of the example: every command is run, and what it prints is what stands there, but for numbers and times.

``TLX_RENEW_README=1 pytest tests/examples/test_readme.py -m long`` writes what they print now.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs import console_blocks
from tests.examples.own_parts import EXAMPLE, Project


@pytest.mark.long
def test_every_command_prints_what_the_readme_says(folder: Path) -> None:
    project = Project(folder / "own_parts")
    project.tlx("plugins", "trust", "--revoke")
    (project.folder / "patients.sqlite").unlink()
    place = console_blocks.programs(folder / "bin")
    environment = {**project.environment, "PATH": f"{place}:{os.environ['PATH']}"}
    names = {str(project.folder): "/home/you/own_parts", str(project.folder.parent): "~"}
    readme = EXAMPLE / "README.md"
    found = console_blocks.BLOCK.sub(
        lambda block: console_blocks.told(block[1], project.folder, environment, names), readme.read_text()
    )
    console_blocks.compared(readme, found)
