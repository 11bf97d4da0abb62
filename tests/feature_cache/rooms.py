"""Stockrooms over small data, to fill and read entries without a trainer."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from tlx.columns.input_spec import ImageSpec
from tlx.config.dataset import Digits, Table
from tlx.config.reuse import Reuse
from tlx.data.module import Data
from tlx.feature_cache.cut import cut
from tlx.feature_cache.manager import CachedSplit, CacheManager, Split
from tlx.feature_cache.policy import Need
from tlx.feature_cache.prefix_cache import store
from tlx.feature_cache.replay import Replay
from tlx.tasks.network import Network

OFTEN = Need(1000, 100.0)


def digits(model: Network, shots: int = 2) -> Data:
    """A few of scikit-learn's digits."""
    data = Data(Digits(shots=shots, shots_seed=0), seed=0, batch_size=8)
    data.prepare(model.specs)
    return data


def ragged(model: Network, folder: Path, count: int = 60) -> Data:
    """Texts of very different lengths."""
    with (folder / "ragged.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [["word " * (1 + i * 7 % 11) + str(i), "abc"[i % 3]] for i in range(count)]
        csv.writer(stream).writerows([["text", "label"], *rows])
    config = Table(kind="table", modality="text", file=str(folder / "ragged.csv"))
    data = Data(config, seed=0, batch_size=8)
    data.prepare(model.specs)
    return data


def stockroom(model: Network, folder: Path, batch: int = 16) -> CacheManager:
    """One over digits or texts."""
    reads_images = any(isinstance(spec, ImageSpec) for spec in model.takes.values())
    data = digits(model) if reads_images else ragged(model, folder)
    options = Reuse(when="always", folder=str(folder / "store"), batch=batch)
    return CacheManager(options, store(options), model, data, "toy")


def stocked(model: Network, trainable: Collection[str], folder: Path, batch: int = 16) -> CachedSplit:
    """The stock of the training examples, proven; the modes are the model's own."""
    room = stockroom(model, folder, batch)
    stock = room.get(Split("train"), Replay(model, cut(model, trainable)), OFTEN)
    assert stock is not None
    return stock
