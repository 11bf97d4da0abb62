"""What a person can say about reuse."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tlx.config.fields import option


@dataclass
class Reuse:
    """Frozen work is done once: what the frozen prefix gives is kept on disk and read ever after."""

    when: str = option(
        help="auto: wherever it is exact and pays; always: wherever it is exact; off: nowhere",
        choices=("auto", "always", "off"),
        rounding_only=True,
    )
    augment: str = option(
        "refuse",
        "with random augmentation, of training examples: refuse: none are reused, every epoch "
        "sees new ones; off: phases that train the head alone see them plain; views=K: K fixed "
        "augmentations, epoch after epoch",
    )
    disk: str = option(
        "20 GB", "the store holds at most this much; what was used least recently goes first", rounding_only=True
    )
    folder: str | None = option(
        None, "null: features below $TLX_CACHE; it has to be empty, or tlx's own", runtime_only=True
    )
    batch: int = option(64, "examples at a time when the store is filled", rounding_only=True)
    precision: str | None = option(
        None,
        "null: a frozen backbone computes in hardware.precision; bf16: under bf16 autocast, while the head stays in "
        "32-true, where strategies train the head alone: everywhere, in predictions and with reuse=off too. Features "
        "are kept as they come, in half the bytes where the last layer gives bf16",
        choices=("bf16",),
        neutral=None,
    )

    @property
    def views(self) -> int:
        """K of ``views=K``; 0 without."""
        return views(self.augment) or 0

    @property
    def budget(self) -> int:
        """``disk`` in bytes; raises :class:`ValueError`."""
        return size(self.disk)


def views(text: str) -> int | None:
    """K of ``views=K``, or of ``K views``, which needs fewer quotes on a command line; None for anything else."""
    match = re.fullmatch(r"views=([1-9][0-9]*)|([1-9][0-9]*) views", text.strip())
    return int(match[1] or match[2]) if match else None


_DIGITS = 12  # of a size


def size(text: str) -> int:
    """``20 GB`` in bytes; raises :class:`ValueError`."""
    match = re.fullmatch(r"([0-9]+(?:[.][0-9]+)?) ?(MB|GB|TB)", text.strip())
    if match is None or len(match[1]) > _DIGITS:
        raise ValueError("expected a size like '20 GB' (MB, GB or TB)")
    return int(float(match[1]) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[match[2]])
