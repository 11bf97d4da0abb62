"""Look at every image once, in parallel; what was seen is remembered, and what cannot be read is named."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, fields, replace
from typing import Any, Protocol

import numpy as np

from tlx.columns import remembered
from tlx.columns.formats import raster
from tlx.columns.image_seen import Seen
from tlx.columns.reading import DEFAULT, Indices, Inspection, Values
from tlx.config.dataset_parts import Limits
from tlx.config.machine import cores
from tlx.files.looking import counting

_AT_ONCE = 1024  # images of an array
# what is seen depends on these
_READ_BY = ("window", "window_of_file", "layout", "bands", "background", "frame", "band_files")
_VERSION = 2  # of what is seen
_FORM = dict[str, list[Any]]


class Looks(Protocol):
    """A column of images."""

    def seen(self, value: Any, limits: Limits = DEFAULT) -> Seen:
        """Look at an image; raises for one that cannot be used."""

    def is_as_read(self, values: Values) -> bool:
        """Are the numbers of an array those that are read of its images?"""

    def settings(self) -> dict[str, Any]:
        """All there is to know of the column."""


def look_at(column: Looks, values: Values, used: Indices, look: Inspection) -> dict[int, str]:
    """Look at images; what was seen of sound ones is put into ``look.seen``.

    Args:
        column: Of them.
        values: Paths, pictures or arrays.
        used: Which of them.
        look: With the limits, and the contents or else the fingerprint under which what was seen is remembered.

    Returns:
        By example, why an image cannot be used.
    """
    if isinstance(values, np.ndarray) and column.is_as_read(values):
        look.seen = dict(_of_array(column, values, used, look.limits))
        return {i: "holds NaN or infinity" for i, one in look.seen.items() if not np.isfinite(one.low + one.high)}
    how = {name: value for name, value in column.settings().items() if name in _READ_BY}
    how["pixels"] = look.limits.pixels  # only a decoder knows how many it needs on the way to those of an image
    names = {i: look.contents[i] or look.origin(i) if look.contents else look.origin(i) for i in used.tolist()}
    where = look.fingerprint
    if look.contents and len(values):  # what was seen of a content stays known when others change
        where = os.path.commonpath([os.path.abspath(look.origin(i)) for i in (0, len(values) - 1)])
    key = hashlib.sha256(json.dumps([_VERSION, where, how]).encode(errors="surrogateescape")).hexdigest()[:32]
    known: dict[str, list[Any]] = remembered.load("seen", key, _FORM) or {}
    look.seen = {i: seen for i, name in names.items() if (seen := _parsed(known.get(name))) is not None}
    faults: dict[int, str] = {}
    fresh = {}
    waiting = [i for i in names if i not in look.seen]

    def tried(i: int) -> Seen | str:
        try:
            return column.seen(values[i], look.limits)
        except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, ...
            return f"unreadable image: {type(error).__name__}: {error}"

    threads = ThreadPoolExecutor(min(8, cores()))
    with _as_decoders_should(look.limits), threads, counting("looking at", "images", len(waiting)) as step:
        for i, found in zip(waiting, threads.map(tried, waiting), strict=True):
            step()
            if isinstance(found, str):
                faults[i] = found
            else:
                look.seen[i] = found
                fresh[names[i]] = list(astuple(found))
    kept = {name: known[name] for name in names.values() if name in known}
    if fresh and (obstacle := remembered.store("seen", key, {**kept, **fresh})):
        look.notes.append(f"that the images are sound is not remembered: {obstacle}")
    return faults


@contextmanager
def _as_decoders_should(limits: Limits) -> Iterator[None]:
    """Around all threads, as both settings are of the whole process."""
    with warnings.catch_warnings(), raster.allowing(limits):  # an image of the hub is decoded where it is asked for
        warnings.filterwarnings("error", message=".*[Tt]runcated.*")  # only a warning to some decoders
        warnings.filterwarnings("ignore", message="Palette images with Transparency.*")
        yield


def _of_array(column: Looks, values: Any, used: Indices, limits: Limits) -> Iterator[tuple[int, Seen]]:
    """What is seen of the images of an array that are used as they are, many at a time."""
    for start in range(0, len(used), _AT_ONCE):
        some = used[start : start + _AT_ONCE]
        first = column.seen(np.zeros_like(values[some[0]]), limits)
        flat = values[some].reshape(len(some), -1)
        for i, low, high in zip(some.tolist(), flat.min(1).tolist(), flat.max(1).tolist(), strict=True):
            yield i, replace(first, low=float(low), high=float(high), colours=first.channels == 3)


def _parsed(found: Sequence[Any] | None) -> Seen | None:
    """What was remembered, if it is what is remembered of an image."""
    if found is None or len(found) != len(fields(Seen)):
        return None
    height, width, channels, dtype, *numbers = found
    sizes = all(isinstance(one, int) and one > 0 for one in (height, width, channels))
    if (
        not sizes
        or not isinstance(dtype, str)
        or not all(one is None or isinstance(one, (int, float)) for one in numbers)
    ):
        return None
    return Seen(*found)
