"""Stockrooms over small data, to fill and read entries without a trainer."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from torch import nn

from tlx.backbones.input_spec import ImageSpec, InputSpec
from tlx.config.dataset import Digits, Table
from tlx.config.reuse import Reuse
from tlx.config.task import Classification
from tlx.data.module import Data
from tlx.feature_cache.cut import cut
from tlx.feature_cache.manager import CachedSplit, CacheManager, Split
from tlx.feature_cache.policy import Need
from tlx.feature_cache.prefix_cache import store
from tlx.feature_cache.replay import Replay
from tlx.tasks.load import load as load_task

OFTEN = Need(1000, 100.0)


def digits(spec: InputSpec, shots: int = 2) -> Data:
    """A few of scikit-learn's digits."""
    data = Data(Digits(shots=shots, shots_seed=0), seed=0, batch_size=8)
    data.prepare(spec)
    return data


def ragged(spec: InputSpec, folder: Path, count: int = 60) -> Data:
    """Texts of very different lengths."""
    with (folder / "ragged.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [["word " * (1 + i * 7 % 11) + str(i), "abc"[i % 3]] for i in range(count)]
        csv.writer(stream).writerows([["text", "label"], *rows])
    config = Table(kind="table", modality="text", file=str(folder / "ragged.csv"))
    data = Data(config, seed=0, batch_size=8)
    data.prepare(spec)
    return data


def stockroom(model: nn.Module, spec: InputSpec, folder: Path, batch: int = 16) -> CacheManager:
    """One over digits or texts."""
    data = digits(spec) if isinstance(spec, ImageSpec) else ragged(spec, folder)
    options = Reuse(when="always", folder=str(folder / "store"), batch=batch)
    task = load_task(Classification(kind="classification"), data.info)
    return CacheManager(options, store(options), model, data, task.collate, "toy")


def stocked(
    model: nn.Module, spec: InputSpec, trainable: Collection[str], folder: Path, batch: int = 16
) -> CachedSplit:
    """The stock of the training examples, proven; the modes are the model's own."""
    room = stockroom(model, spec, folder, batch)
    stock = room.get(Split("train"), Replay(model, spec, cut(model, spec, trainable)), OFTEN)
    assert stock is not None
    return stock
