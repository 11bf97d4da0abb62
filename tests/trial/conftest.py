"""Small trials on digits: seconds, one thread."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import tlx
from tlx.config.schema import Trial

Compose = Callable[..., Trial]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def small() -> Compose:
    """A trial of a few steps; overrides on top."""

    def make(*overrides: str) -> Trial:
        base = [
            "backbone=narrow_resnet",
            "dataset=digits",
            "dataset.shots=4",
            "strategy.budget=6 steps",
            "strategy.batch_size=16",
            "strategy.validate_every=2 steps",
            "tracking=none",
            "hardware.threads=1",
        ]
        named = {word.split("=")[0] for word in overrides}
        return tlx.compose([*(word for word in base if word.split("=")[0] not in named), *overrides])

    return make
