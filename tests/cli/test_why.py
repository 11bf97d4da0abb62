"""``tlx why``: whether a trial would run, and what makes it another than the runs there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Said = Callable[..., str]
WORDS = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "tracking=none"]


def test_a_trial_without_any_run(folder: Path, said: Said) -> None:
    assert "there is no finished run" in said("why", *WORDS, "dataset=digits")
    assert "expected one run, or the overrides" in said("why", "a", "b=1", code=2)
    assert "no finished trial" in said("why", "nowhere", code=2)


@pytest.mark.slow
def test_what_differs_is_named(folder: Path, said: Said) -> None:
    said("train", *WORDS, "dataset=digits")
    assert "would not run: it is finished" in said("why", *WORDS, "dataset=digits")
    found = said("why", *WORDS, "dataset=digits", "strategy.lr=0.25", "hardware.workers=1")
    assert "config: strategy.lr  0.01 -> 0.25" in found
    assert "workers" not in found  # it decides nothing
    assert len(found.splitlines()) == 3
    (place,) = (path.parent for path in folder.glob("runs/*/result.json"))
    assert "would not run again" in said("why", str(place))


@pytest.mark.slow
def test_data_that_changed_are_named(folder: Path, said: Said) -> None:
    from PIL import Image

    for number in range(30):
        place = folder / "pictures" / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), number * 8).save(place)
    words = [*WORDS, "dataset=imagefolder", "dataset.root=pictures"]
    said("train", *words)
    (run,) = (path.parent for path in folder.glob("runs/*/result.json"))
    Image.new("L", (8, 8), 255).save(folder / "pictures/a/0.png")
    for asked in ([str(run)], words):
        found = said("why", *asked)
        assert "fingerprint: data" in found
        assert "config:" not in found
