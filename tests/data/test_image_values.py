"""Every setting of images holds for training as it does for predicting, whatever images are given as, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pictures

import tlx
from tlx.columns import Image
from tlx.columns.input_spec import ImageSpec
from tlx.columns.reading import PLAIN, Reading
from tlx.composition.words import CHOICE
from tlx.config.errors import ConfigError, DataError
from tlx.config.image_values import ImageValues
from tlx.data.module import Data
from tlx.prediction.values import canonical

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (24, 8, 8), dtype=np.uint8)
CLEAR = RNG.integers(0, 256, (24, 8, 8, 4), dtype=np.uint8)
LABELS = ["a", "b"] * 12
VARIED: dict[str, Any] = {
    "scale": [50, 150],
    "window": [128, 20],
    "layout": "chw",
    "bands": [0],
    "background": "white",
    "frame": 0,
}
Given = tuple[Any, list[Any]]  # the data set, and its images as somebody who predicts has them


def _objects(images: list[Any]) -> Given:
    return tlx.dataset_from(images, LABELS), images


def _pictures(folder: Path) -> Given:
    return _objects([Pictures.fromarray(one) for one in CLEAR])


def _files(folder: Path) -> Given:
    names = []
    for number, (one, label) in enumerate(zip(CLEAR, LABELS, strict=True)):
        (folder / label).mkdir(exist_ok=True)
        names.append(folder / label / f"{number:02}.png")
        Pictures.fromarray(one).save(names[-1])
    return {CHOICE: "imagefolder", "root": str(folder)}, sorted(names)


KINDS: dict[str, Callable[[Path], Given]] = {
    "a stack": lambda _: _objects(list(GREY)),
    "arrays of two sizes": lambda _: _objects([*GREY[:23], GREY[23, :7]]),
    "coloured arrays": lambda _: _objects(list(CLEAR[..., :3])),
    "pictures": _pictures,
    "files": _files,
}


def test_every_setting_is_varied() -> None:
    assert list(VARIED) == [one.name for one in fields(ImageValues)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", VARIED)
def test_trained_on_is_what_is_predicted_on(folder: Path, kind: str, setting: str) -> None:
    dataset, images = KINDS[kind](folder)
    words = "backbone=pixels strategy=feature_extraction tracking=none"
    asked = {**dataset, setting: VARIED[setting]}
    is_coloured = kind in ("coloured arrays", "pictures", "files")
    if (setting == "window" and is_coloured) or (setting in ("background", "frame", "layout") and kind != "files"):
        with pytest.raises((ConfigError, DataError), match=f"dataset.{setting}"):
            Data(tlx.compose(words, dataset=asked).dataset, seed=0, batch_size=8)
        return
    data = Data(tlx.compose(words, dataset=asked).dataset, seed=0, batch_size=8)
    (column,) = data.schema.inputs.values()
    assert isinstance(column, Image)
    channels = column.channels
    spec = ImageSpec(channels, 8, 8, (0.5,) * channels, (0.25,) * channels)
    data.prepare({column.name: spec})
    reader = data.examples["train"].readers[column.name]
    trained = reader.take([(PLAIN, place) for place in range(len(data.splits["train"]))])
    values = [canonical(column, images[i], data.config.limits) for i in data.splits["train"]]
    predicted = torch.stack([column.prepare(value, Reading(spec)) for value in values])
    torch.testing.assert_close(trained, predicted, rtol=1e-5, atol=1e-5)
    if setting == "window" and kind == "a stack":  # else some are resized
        assert len(torch.unique(trained)) < 24
