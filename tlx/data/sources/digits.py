"""scikit-learn's scans of handwritten digits: 897 for test, 700 to train and 200 to validate, always the same."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tlx.columns import Image, Label
from tlx.columns.image_scale import BYTES
from tlx.config.dataset import Digits
from tlx.data.fingerprint import of_text
from tlx.data.source import Source
from tlx.data.stratify import train_test_split


def fingerprint(config: Digits) -> str:
    """The images are always the same."""
    return of_text("sklearn-digits-1")


def load(config: Digits) -> Source:
    """1797 images 8 x 8, values 0..16 spread over 0..255."""
    table = np.loadtxt(_file(), delimiter=",")
    images = np.round(table[:, :-1].reshape(-1, 8, 8) / 16 * 255).astype(np.uint8)
    labels = table[:, -1].astype(np.int64)
    everything = np.arange(len(labels))
    seed = config.split_seed
    pool, test = train_test_split(everything, test_size=897, labels=labels, seed=seed)
    train, val = train_test_split(pool, test_size=200, labels=labels[pool], seed=seed)
    return Source(
        columns=[
            Image("image", channels=1, dtype="float32", scale=BYTES, statistics="backbone"),
            Label("label", classes=tuple(str(i) for i in range(10))),
        ],
        rows={"image": images, "label": labels},
        splits={"train": np.sort(train), "val": np.sort(val), "test": np.sort(test)},
        origin=lambda i: f"digits[{i}]",
    )


def _file() -> Path:
    """Where scikit-learn keeps the scans: importing it to ask takes about as long as torch."""
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("scikit-learn is not installed; install tlx again")
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
