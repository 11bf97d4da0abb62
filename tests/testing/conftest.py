"""For the tests of contract checks: what a test registers is forgotten after it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _registered(registered: None) -> None:
    """For every test here."""
