"""What is installed is pinned by hash, from no address of our choosing, and every dependency has a lower bound."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def _locked() -> dict[str, str]:
    """The lock's requirements by name, each with its hashes."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    return {re.split(r"[^\w.-]", entry)[0]: entry for entry in re.split(r"\n(?=\S)", text.strip())}


def test_every_requirement_is_pinned_by_hash() -> None:
    locked = _locked()
    assert len(locked) > 100
    for name, entry in locked.items():
        assert re.fullmatch(r"[\w.-]+==[\w.+!-]+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), name


def test_the_lock_has_its_own_tools_and_no_address() -> None:
    assert {"uv", "pip", "setuptools"} <= set(_locked())
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-(-index|-extra|-find|i |f )", text, re.MULTILINE)


def test_every_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in sum(project["optional-dependencies"].values(), project["dependencies"]):
        wanted = Requirement(text)
        assert wanted.name == "tlx" or ">=" in [part.operator for part in wanted.specifier], text
