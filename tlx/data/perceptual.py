"""Images that look alike: the difference hash of 64 bits (dHash, Krawetz 2013), and which are near each other."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Picture

from tlx.columns import Image, remembered
from tlx.columns.reading import Indices, Values
from tlx.config.dataset_parts import Limits
from tlx.files.looking import counting

Hashes = npt.NDArray[np.uint64]
_BLOCK = 1 << 20  # pairs of hashes that are compared at once
_WAITING = 1 << 17  # pairs of near ones that are kept
_VERSION = 3  # of what is remembered
_WORD = re.compile("[0-9a-f]{16}")
_FLAT = 1e-5  # differences of cells, as a share of the brightest, that are rounding
_LEARNED = ("name", "role", "scale", "scale_by", "mean", "std", "statistics")  # which decide no decoded value


def difference_hash(pixels: npt.NDArray[Any]) -> int | None:
    """Whether each cell of a grey 8 x 9 thumbnail is darker than the one to its right, row by row, as 64 bits.

    Args:
        pixels: [h, w] or [h, w, channels], of which the mean is taken.

    Returns:
        The hash; None where no row has a gradient, as the hash says nothing then.
    """
    grey = np.asarray(pixels, dtype=np.float32)
    grey = grey.mean(axis=2) if grey.ndim == 3 else grey
    small = np.asarray(Picture.fromarray(grey).resize((9, 8), Picture.Resampling.BOX))
    if np.abs(np.diff(small, axis=1)).max() <= _FLAT * np.abs(small).max():
        return None
    return int.from_bytes(np.packbits(small[:, :-1] < small[:, 1:]).tobytes(), "big")


def hashes_of(column: Image, values: Values, contents: Sequence[str] | None, limits: Limits) -> list[int | None]:
    """The difference hash of each image; None for one without a gradient, and one that cannot be read.

    Args:
        column: Of the images.
        values: As the column reads them.
        contents: The content hash of each; where they are known, what is found is remembered.
        limits: The most that is read of one image.
    """
    key = _key(column, contents or (), limits)
    known = _remembered(key) if contents else {}
    found: list[int | None] = []
    is_new = False
    with counting("comparing", "images", len(values)) as step:
        for i in range(len(values)):
            content = contents[i] if contents else ""
            if content and content in known:
                found.append(known[content])
            else:
                try:
                    found.append(difference_hash(column.decoded(values[i], limits).values))
                except Exception:  # decoders raise anything; the look at every example says so
                    found.append(None)
                else:
                    if content:
                        known[content], is_new = found[-1], True
            step()
    if is_new:
        words = {content: None if one is None else f"{one:016x}" for content, one in known.items()}
        remembered.store("dhash", key, words)  # without it they are computed again
    return found


def _remembered(key: str) -> dict[str, int | None]:
    """What was found of images before, by their content; 64 bits are words in a file, as JSON's numbers have less."""
    words: dict[str, str | None] = remembered.load("dhash", key, dict[str, str | None]) or {}
    return {
        content: None if word is None else int(word, 16)
        for content, word in words.items()
        if word is None or _WORD.fullmatch(word)
    }


def _key(column: Image, contents: Sequence[str], limits: Limits) -> str:
    """Names what is remembered: the files, and all that decides what is decoded of them."""
    how = {name: value for name, value in column.settings().items() if name not in _LEARNED}
    parts = [_VERSION, how, asdict(limits), *contents]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def joined(hashes: Hashes, distance: int) -> Indices:
    """A number for each of the hashes, the same for those that a chain of near ones joins.

    Memory is bounded: of what is near each other already, no pair is kept.

    Args:
        hashes: Of images [hashes, columns].
        distance: In bits, that near ones are apart at most in every column.
    """
    numbers = np.arange(len(hashes))
    waiting: list[npt.NDArray[np.int64]] = []
    rows = max(1, _BLOCK // max(1, len(hashes)))
    for start in range(0, len(hashes), rows):
        are_near = _are_near(hashes[start : start + rows], hashes[start:], distance)
        are_near &= numbers[start : start + rows, None] != numbers[None, start:]
        waiting.append(np.argwhere(are_near) + start)
        if sum(map(len, waiting)) > _WAITING:
            numbers, waiting = _merged(numbers, waiting), []
    return _merged(numbers, waiting) if waiting else numbers


def _merged(numbers: Indices, pairs: Sequence[npt.NDArray[np.int64]]) -> Indices:
    """The numbers once the sets of each pair are one."""
    from scipy.sparse import coo_array  # takes half a second, for those alone who ask
    from scipy.sparse.csgraph import connected_components

    edges = numbers[np.concatenate(pairs)]
    shape = (len(numbers), len(numbers))
    graph = coo_array((np.ones(len(edges), dtype=bool), (edges[:, 0], edges[:, 1])), shape=shape)
    found: Indices = connected_components(graph, directed=False)[1].astype(np.int64)[numbers]
    return found


def is_near_one(own: Hashes, others: Hashes, distance: int) -> npt.NDArray[np.bool_]:
    """Is each hash [own, columns] near one of the others [others, columns]?"""
    rows = max(1, _BLOCK // max(1, len(others)))
    blocks = [_are_near(own[start : start + rows], others, distance).any(1) for start in range(0, len(own), rows)]
    return np.concatenate([np.zeros(0, dtype=np.bool_), *blocks])


def _are_near(own: Hashes, others: Hashes, distance: int) -> npt.NDArray[np.bool_]:
    """[own, others]."""
    found = np.ones((len(own), len(others)), dtype=np.bool_)
    for column in range(own.shape[1]):
        found &= np.bitwise_count(own[:, None, column] ^ others[None, :, column]) <= distance
    return found
