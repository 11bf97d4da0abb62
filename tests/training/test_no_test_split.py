"""Without a test split a trial trains, is recorded, repeated and used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlx
from tests.conftest import Said
from tests.training.conftest import Compose
from tests.training.heads import run
from tlx.data.module import Data
from tlx.runs import layout, test_ledger
from tlx.training.locate import locate

WORDS = ("dataset=imagefolder", "dataset.root=images", "dataset.shots=null", "dataset.test=0")


@pytest.fixture
def images(folder: Path) -> Path:
    """Two classes, and a third of one image."""
    rng = np.random.default_rng(0)
    for name, count in (("a", 20), ("b", 20), ("lonely", 1)):
        (folder / "images" / name).mkdir(parents=True)
        for i in range(count):
            values = rng.integers(256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(values).save(folder / "images" / name / f"{i}.png")
    return folder / "images"


def test_a_trial_without_a_test_split(images: Path, folder: Path, small: Compose, said: Said) -> None:
    said_of_plan = said("plan", "backbone=pixels", "strategy=feature_extraction", *WORDS)
    assert "no test split: dataset.test=0" in said_of_plan
    assert "35 train, 6 val" in said_of_plan
    trial = small("backbone=pixels", "strategy=feature_extraction", *WORDS)
    lines: list[str] = []
    result = tlx.training.runner.train(trial, lines.append)
    where = locate(trial).path
    assert "data: no test split: dataset.test=0" in lines
    assert set(result.metrics) == {"val/loss", "val/f1_macro", "val/acc"}
    assert not (where / layout.PREDICTIONS).exists()
    assert not (where.parent / test_ledger.FILE).exists()
    assert locate(trial).result() == result
    assert "verdict: bitwise" in said("reproduce", str(where))
    assert "--split val" in said("evaluate", str(where), code=2)
    assert "val of imagefolder: 6 examples" in said("evaluate", str(where), "--split", "val")
    assert len(tlx.load(where).predict(sorted(map(str, images.glob("a/*.png"))))) == 20


def test_heads_side_by_side_without_a_test_split(images: Path, small: Compose) -> None:
    words = ("strategy=feature_extraction", "reuse=always", "task=classification", *WORDS)
    trials = [small(*words, f"strategy.lr={rate}") for rate in (0.01, 0.02)]
    for trial, result in zip(trials, run(trials), strict=True):
        assert result is not None
        assert {name.partition("/")[0] for name in result.metrics} == {"val"}
        assert not (locate(trial).path / layout.PREDICTIONS).exists()


def test_data_that_bring_a_test_split_keep_it(small: Compose) -> None:
    trial = small("dataset.test=0")
    data = Data(trial.dataset, seed=0, batch_size=4)
    assert data.has_test
    assert not any("no test split" in note for note in data.source.notes)
