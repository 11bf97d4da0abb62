"""Images that look alike: the difference hash of 64 bits (dHash, Krawetz 2013), and which are near each other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tlx.columns import Column, remembered
from tlx.columns.reading import Values
from tlx.config.dataset_parts import Limits
from tlx.files.looking import counting

Hashes = npt.NDArray[np.uint64]
_BLOCK = 1 << 22  # pairs of hashes that are compared at once


def difference_hash(pixels: npt.NDArray[Any]) -> int:
    """Whether each cell of a grey 8 x 9 thumbnail is darker than the one to its right, row by row, as 64 bits.

    Args:
        pixels: [h, w] or [h, w, channels], of which the mean is taken.
    """
    grey = np.asarray(pixels, dtype=np.float32)
    grey = grey.mean(axis=2) if grey.ndim == 3 else grey
    small = np.asarray(Image.fromarray(grey).resize((9, 8), Image.Resampling.BOX))
    return int.from_bytes(np.packbits(small[:, :-1] < small[:, 1:]).tobytes(), "big")


def hashes_of(column: Column, values: Values, contents: Sequence[str] | None, limits: Limits) -> Hashes:
    """The difference hash of each image; 0 for one that cannot be read or has no gradient: it is near no other.

    Args:
        column: Of the images.
        values: As the column reads them.
        contents: The content hash of each; where they are known, what is found is remembered.
        limits: The most that is read of one image.
    """
    key = hashlib.sha256("\n".join(contents or ()).encode()).hexdigest()[:32]
    known: dict[str, int] = (remembered.load("dhash", key, dict[str, int]) or {}) if contents else {}
    found = np.zeros(len(values), dtype=np.uint64)
    fresh: dict[str, int] = {}
    with counting("comparing", "images", len(values)) as step:
        for i in range(len(values)):
            content = contents[i] if contents else ""
            if content not in known:
                known[content] = fresh[content] = _hash(column, values[i], limits)
            found[i] = known[content]
            if not content:  # of which nothing is known
                del known[content], fresh[content]
            step()
    if fresh:
        remembered.store("dhash", key, known)  # without it they are computed again
    return found


def _hash(column: Column, value: Any, limits: Limits) -> int:
    try:
        return difference_hash(column.read(value, limits))
    except Exception:  # decoders raise anything; the look at every example says so
        return 0


def near(hashes: Hashes, distance: int) -> npt.NDArray[np.int64]:
    """Pairs of different hashes at most so many bits apart.

    Args:
        hashes: Each once [hashes].
        distance: In bits.

    Returns:
        Positions of both, the smaller first [pairs, 2].
    """
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    rows = max(1, _BLOCK // max(1, len(hashes)))
    for start in range(0, len(hashes), rows):
        mine = hashes[start : start + rows, None]
        apart = np.bitwise_count(mine ^ hashes[None, start:])
        first, second = np.nonzero(apart <= distance)
        chosen = second > first  # both count from ``start``
        pairs.append(np.stack([first[chosen], second[chosen]], axis=1) + start)
    return np.concatenate(pairs)
