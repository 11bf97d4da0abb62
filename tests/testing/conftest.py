"""For the tests of contract checks: what a test registers is forgotten after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tlx.components import registry


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    before = {group: dict(known) for group, known in registry._COMPONENTS.items()}
    yield
    registry._COMPONENTS.clear()
    registry._COMPONENTS.update(before)
