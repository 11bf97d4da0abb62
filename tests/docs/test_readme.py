"""The README: its files are written as it says, its commands and its Python are run, and print what stands there.

``TLX_RENEW_README=1 pytest tests/docs/test_readme.py`` writes what they print now.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import console_blocks
from tests.docs.test_commands import blocks

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
NAMED = re.compile(r"# (\w+\.\w+)\n")  # the first line of a block that is a file


@pytest.mark.long
def test_the_readme_says_what_happens(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    here = folder / "tlx"
    here.mkdir()
    shutil.copytree(ROOT / "docs" / "images", here / "docs" / "images")
    for text in [*blocks(README, "python"), *blocks(README, "toml")]:
        if name := NAMED.match(text):
            (here / name[1]).write_text(text)
    place = console_blocks.programs(folder / "bin")
    environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(folder / "settings")}
    names = {str(here): "/home/you/tlx", str(folder): "~"}
    own = {**environment, "TLX_TRUST": "1"}

    def told(block: re.Match[str]) -> str:
        early = "plugins trust" not in block[1]  # the first commands come before the project has plugins
        return console_blocks.told(block[1], here, own if early else environment, names)

    console_blocks.compared(README, console_blocks.BLOCK.sub(told, README.read_text(encoding="utf-8")))
    (script,) = [text for text in blocks(README, "python") if not NAMED.match(text)]
    subprocess.run([sys.executable, "-c", script], cwd=here, env=own, check=True, stdout=subprocess.DEVNULL)


def test_the_readme_is_a_page_and_its_links_lead_somewhere() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 200
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
