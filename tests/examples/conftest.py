"""A copy of the example project for each test that asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.own_parts import Project


@pytest.fixture
def project(folder: Path) -> Project:
    """A copy that its user trusts, with its data."""
    return Project(folder / "project")
