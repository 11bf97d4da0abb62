"""Runs that are finished, to be compared, altered and repeated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tlx.cli import main

WORDS = ["backbone=pixels", "dataset=digits", "dataset.shots=4", "strategy=feature_extraction", "tracking=none"]
WORDS += ["strategy.budget=9 steps", "strategy.validate_every=3 steps", "strategy.batch_size=16", "hardware=cpu"]
WORDS += ["hardware.threads=1"]


def train(*words: str, output: str = "runs") -> Path:
    """Train a trial in this process, of two words for a setting by the last; its folder."""
    before = set(Path(output).glob("*/result.json"))
    last = {word.partition("=")[0]: word for word in words}
    chosen = sorted(last.values(), key=lambda word: "." in word.partition("=")[0])  # of groups before what is in them
    assert main(["train", *chosen, f"output={output}"]) == 0
    (found,) = set(Path(output).glob("*/result.json")) - before
    return found.parent


@pytest.fixture(scope="package")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two finished runs that differ in their seeds, never changed."""
    root = tmp_path_factory.mktemp("finished")
    before = Path.cwd()
    os.chdir(root)
    try:
        return root / train(*WORDS), root / train(*WORDS, "seed=1")
    finally:
        os.chdir(before)
