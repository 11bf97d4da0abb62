"""One command lists its data once, hashes each image once for what is remembered, and looks for large ones once."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Said
from tests.prediction.conftest import SHORT
from tlx.data import module
from tlx.data.sources import imagefolder
from tlx.runs import layout

WORDS = ("backbone=pixels", "strategy=feature_extraction", "dataset=imagefolder", "dataset.root=photos", *SHORT)


@pytest.fixture
def calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often images were listed, hashed for an identity and for what is remembered, and measured by a network."""
    monkeypatch.setenv("TLX_CACHE", str(folder / "cache"))
    rng = np.random.default_rng(0)
    for i in range(40):
        place = folder / "photos" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8 + i % 3, 3), dtype=np.uint8)).save(place / f"{i}.png")
    found: Counter[str] = Counter()

    def counted(of: Any, name: str) -> None:
        original = getattr(of, name)

        def call(*values: Any, **named: Any) -> Any:
            found[name] += 1
            return original(*values, **named)

        monkeypatch.setattr(of, name, call)

    counted(imagefolder, "load")
    counted(module, "too_large")
    counted(imagefolder, "contents")
    counted(imagefolder, "of_files")
    return found


@pytest.mark.parametrize(
    ("words", "fingerprints"),
    [(("plan",), 1), (("plan", "--figure", "examples"), 1), (("train",), 2)],  # that of the run folder, and of the data
)
def test_a_command_looks_once(said: Said, calls: Counter[str], words: tuple[str, ...], fingerprints: int) -> None:
    said(words[0], *WORDS, *words[1:])
    assert calls == {"load": 1, "contents": 1, "too_large": 1, "of_files": fingerprints}


@pytest.mark.parametrize("words", [(), ("dataset.root=new",), ("--split", "val")])
def test_an_evaluation_looks_once(said: Said, calls: Counter[str], folder: Path, words: tuple[str, ...]) -> None:
    """Its examples are chosen by the model, which is there already."""
    said("train", *WORDS)
    (run,) = (path.parent for path in (folder / "runs").glob(f"*/{layout.RESULT}"))
    shutil.copytree("photos", "new")
    calls.clear()
    said("evaluate", str(run), *words)
    assert (calls["load"], calls["of_files"]) == (1, 1)
    assert calls["contents"] <= 1
