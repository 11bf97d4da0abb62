"""A project that brings a part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

PART = """
from dataclasses import dataclass
import tlx
from tlx.config.fields import option
from tlx.training.callbacks.callback import Callback

@dataclass
class Options:
    "Counts the rounds."
    most: int = option(3, "of them", above=0)

@tlx.register.callback("NAME", config=Options, capabilities={"trainable", "cacheable", "resumable"})
class Count(Callback):
    def __init__(self, options):
        self.most = options.most
"""
Make = Callable[..., Path]
TRIAL = ["backbone=pixels", "dataset=digits", "strategy=feature_extraction", "strategy.budget=2 steps", "tracking=none"]


@pytest.fixture
def make(folder: Path) -> Make:
    """Write a project whose plugins are these modules."""

    def write(listed: str = "", **modules: str) -> Path:
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        listed = listed or json.dumps(list(modules))
        (folder / "pyproject.toml").write_text(f"[tool.tlx]\nplugins = {listed}\n")
        return folder

    return write
