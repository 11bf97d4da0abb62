"""Arrays of small images, as Hypothesis draws them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from tlx.columns.formats.pixels import ReadAs
from tlx.config.dataset_parts import Limits

Array = npt.NDArray[Any]
LIMITS, PLAIN = Limits(), ReadAs()
ORDERS = st.sampled_from("<>")
NUMBERS = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
SIDES = st.integers(1, 20)


def images(dtypes: st.SearchStrategy[str], channels: st.SearchStrategy[int]) -> st.SearchStrategy[Array]:
    """[h, w, channels] of finite numbers."""
    shapes = st.tuples(SIDES, SIDES, channels)
    return st.tuples(dtypes, shapes, st.integers(0, 2**32 - 1)).map(lambda drawn: noise(*drawn))


def noise(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Random values over the whole range of a type, its ends among them where there is room."""
    kind, generator = np.dtype(dtype), np.random.default_rng(seed)
    if kind.kind == "f":
        return generator.normal(0, 1000, shape).astype(kind)
    ends = np.iinfo(kind)
    values = generator.integers(ends.min, ends.max, shape, dtype=kind, endpoint=True)
    values.flat[0], values.flat[-1] = ends.min, ends.max
    return values


def broken(data: st.DataObject, whole: bytes) -> bytes:
    """A file cut off somewhere, or with some bytes replaced, most of them near its beginning."""
    if data.draw(st.booleans()):
        return whole[: data.draw(st.integers(0, len(whole) - 1))]
    near = st.one_of(st.integers(0, min(len(whole), 400) - 1), st.integers(0, len(whole) - 1))
    found = bytearray(whole)
    for at, value in data.draw(st.lists(st.tuples(near, st.integers(0, 255)), min_size=1, max_size=8)):
        found[at] = value
    return bytes(found)
