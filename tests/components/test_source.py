"""The code of parts is known by its files, those beside them, or by what it was compiled to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.components.conftest import PART, TRIAL, Make
from tlx.components import bytecode, plugins, source, trust

pytestmark = pytest.mark.usefixtures("plugged")


@pytest.mark.long
def test_a_part_in_a_script_is_known_by_its_source(folder: Path) -> None:
    script = folder / "script.py"
    words = [*TRIAL, "callbacks.scripted={}"]
    ask = f"from tlx.training.locate import locate\nprint(locate(tlx.compose({words!r})).identity)\n"
    script.write_text(PART.replace("NAME", "scripted") + ask)

    def identity() -> str:
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    first = identity()
    assert identity() == first
    script.write_text(script.read_text().replace("option(3,", "option(3 ,"))
    assert identity() != first


def test_modules_beside_a_single_module_count_with_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    place = make(
        '["mine_o"]', mine_o="import mine_layers\n" + PART.replace("NAME", "layered"), mine_layers="import mine_p"
    )
    (place / "mine_p.py").write_text("x = 1")
    (place / "mine_stranger.py").write_text("x = 1")
    plugins.load()
    assert set(source.files("mine_o")) == {"mine_o.py", "mine_layers.py", "mine_p.py"}
    before = source.digest("mine_o")
    (place / "mine_p.py").write_text("x = 2")
    source._files.cache_clear()
    assert source.digest("mine_o") != before


NOTEBOOK = """
def near(x):
    return x + 1

class Part:
    most = 3
    def look(self, x):
        return near(x) * self.most
"""


@pytest.mark.parametrize("change", [("x + 1", "x + 2"), ("most = 3", "most = 4"), ("* self", "- self")])
def test_what_is_in_no_file_is_known_by_what_it_was_compiled_to(change: tuple[str, str]) -> None:
    def compiled(text: str) -> object:
        space: dict[str, object] = {"__name__": "__main__"}
        exec(text, space)
        return space["Part"]

    same = bytecode.digest([compiled(NOTEBOOK)])
    assert bytecode.digest([compiled(NOTEBOOK + "\nother = 3")]) == same
    assert bytecode.digest([compiled(NOTEBOOK.replace(*change))]) != same
