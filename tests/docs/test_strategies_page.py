"""The page on strategies: every preset has a row, and what it is compared with is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/reference/strategies.md").read_text(encoding="utf-8")
PRESETS = sorted(path.stem for path in (ROOT / "conf/strategy").glob("*.yaml"))
ROWS = {row[0].strip("`"): row[1:] for line in re.findall(r"^\| (`.*) \|$", TEXT, re.M) if (row := line.split(" | "))}


def test_every_preset_has_one_row_and_nothing_else_has() -> None:
    assert sorted(ROWS) == PRESETS
    assert all(TEXT.count(f"\n| `{name}` |") == 1 for name in PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_row_says_of_what_paper_it_is_and_what_it_is_compared_with(name: str) -> None:
    paper, compared, *_ = ROWS[name]
    years = set(re.findall(r"\b(?:19|20)\d\d\b", (ROOT / f"conf/strategy/{name}.yaml").read_text(encoding="utf-8")))
    assert years <= set(re.findall(r"\d{4}", paper)) | set(re.findall(r"\d{4}", " ".join(ROWS[name][1:])))
    assert compared


def test_the_tests_that_it_names_are_there() -> None:
    named = set(re.findall(r"`((?:tests/\w+/)?test_\w+\.py)`", TEXT))
    assert len(named) > 10
    assert [one for one in named if not (ROOT / (one if "/" in one else f"tests/strategies/{one}")).is_file()] == []
