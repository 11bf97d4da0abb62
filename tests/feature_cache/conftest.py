"""For the tests of reuse: one thread, as in trials that are compared bit by bit."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
