"""scikit-learn's scans of handwritten digits: 897 for test, 700 to train and 200 to validate, always the same."""

from __future__ import annotations

import numpy as np

from tlx.data.options import Digits
from tlx.data.source import Source


def load(config: Digits) -> Source:
    """1797 images 8 x 8, values 0..16 spread over 0..255."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.round(bunch.images / 16 * 255).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    everything = np.arange(len(labels))
    pool, test = train_test_split(everything, test_size=897, stratify=labels, random_state=config.split_seed)
    train, val = train_test_split(pool, test_size=200, stratify=labels[pool], random_state=config.split_seed)
    return Source(
        modality="image",
        inputs=images,
        labels=labels,
        classes=[str(i) for i in range(10)],
        splits={"train": np.sort(train), "val": np.sort(val), "test": np.sort(test)},
        channels=1,
        origin=lambda i: f"digits[{i}]",
    )
