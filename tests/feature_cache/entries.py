"""Entries written by hand: columns of any type, without a network."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tlx.feature_cache.cut import OutputSpec
from tlx.feature_cache.entry import Column, Meta, Writer
from tlx.feature_cache.store import Store

KEY = "0123456789abcdef0123456789abcdef"
DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]


def numbers(dtype: torch.dtype, *shape: int, seed: int = 0) -> Tensor:
    """Random values; among those of floats, zeros of both signs, infinities and tiny ones."""
    generator = torch.Generator().manual_seed(seed)
    if not dtype.is_floating_point:
        return torch.randint(0, 2 if dtype == torch.bool else 200, shape, generator=generator).to(dtype)
    values = torch.randn(shape, generator=generator).to(dtype)
    values.reshape(-1)[:5] = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), torch.finfo(dtype).tiny / 2])
    return values


def bits(tensor: Tensor) -> Any:
    """The bytes of a tensor in logical order."""
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def leaf(kind: str, tensor: Tensor) -> OutputSpec:
    lead = {"rows": 1, "tokens": 2, "shared": 0}[kind]
    return OutputSpec(kind, tuple(tensor.shape[lead:]), tensor.itemsize)


def put(
    store: Store, batches: Sequence[Sequence[Tensor]], kinds: Sequence[str], key: str = KEY, parts: int = 1
) -> Path:
    """Publish an entry of row columns (or shared ones), its batches shared out over ``parts`` writers; its folder."""
    folder = store.aside(key)
    columns = [Column.of(leaf(kind, tensor), tensor) for kind, tensor in zip(kinds, batches[0], strict=True)]
    borders = [len(batches) * part // parts for part in range(parts + 1)]
    sizes = [len(batch[kinds.index("rows")]) for batch in batches]
    closed = []
    for begin, end in itertools.pairwise(borders):
        writer = Writer(folder, sum(sizes[:begin]), columns)
        for batch, size in zip(batches[begin:end], sizes[begin:end], strict=True):
            writer.append(batch, size)
        closed.append(writer.close())
    return publish(store, key, folder, columns, closed, sum(sizes))


def publish(
    store: Store, key: str, folder: Path, columns: Sequence[Column], parts: list[dict[str, Any]], rows: int
) -> Path:
    """Seal and name what was written."""
    size = sum(file.stat().st_size for file in folder.glob("*.npy"))
    store.publish(key, folder, Meta({"made": "by hand"}, tuple(columns), parts, rows, size, 0.001))
    return store.root / key


def rows(*numbers: int) -> Any:
    return np.array(numbers, dtype=np.int64)
