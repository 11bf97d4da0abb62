"""Finished trials that may be measured, and what ``tlx evaluate --json`` says of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Said
from tests.prediction.conftest import Runs, runs  # noqa: F401 (fixture)


@pytest.fixture
def own(runs: Runs, folder: Path) -> Runs:  # noqa: F811
    """Copies of the runs, beside which an evaluation may lie."""

    def of(kind: str) -> Path:
        return Path(shutil.copytree(runs(kind).parent, folder / kind) / runs(kind).name)

    return of


def measured(said: Said, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said("evaluate", *words, "--json"))
    return found
