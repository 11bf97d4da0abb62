"""``tlx train``: what it says beside training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import Said
from tlx.runs import layout

WORDS = (
    "backbone=pixels",
    "strategy=feature_extraction",
    "dataset=imagefolder",
    "dataset.root=photos",
    "tracking=none",
)


def photos(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / "photos" / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            values = rng.integers(0, 255, (12, 12), dtype=np.uint8)
            Image.fromarray(values).save(folder / "photos" / name / f"{number}.png")


def test_data_that_changed_since_a_trial_was_begun_are_another_trial(folder: Path, said: Said) -> None:
    """Nothing of the unfinished one is gone on with, and it says so."""
    photos(folder, 20)
    said("train", *WORDS)
    (first,) = (path.parent for path in (folder / "runs").glob("*/config.yaml"))
    (first / layout.RESULT).unlink()  # as if it had been interrupted
    state = {path.name: path.read_bytes() for path in first.iterdir()}
    photos(folder, 24)
    text = said("train", *WORDS)
    assert f"{first.name} was begun with other data" in text
    assert "it is left as it is" in text
    assert {path.name: path.read_bytes() for path in first.iterdir()} == state
    assert len(list((folder / "runs").glob("*/result.json"))) == 1
    assert "was begun" not in said("train", *WORDS, "seed=1")
