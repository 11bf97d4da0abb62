"""What a person can say about reuse."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from tlx.config.fields import CHOICES, IDENTITY, aside


@dataclass
class Reuse:
    """Frozen work is done once: what the frozen prefix gives is kept on disk and read ever after."""

    # auto: wherever it is exact and pays; always: wherever it is exact; off: nowhere
    when: str = dataclasses.field(default="auto", metadata={CHOICES: ("auto", "always", "off"), IDENTITY: False})
    # with random augmentation, of training examples: refuse: none are reused, every epoch sees new ones;
    # off: phases that train the head alone see them plain; views=K: K fixed augmentations, epoch after epoch
    augment: str = "refuse"
    # the store holds at most this much; what was used least recently goes first
    disk: str = aside("20 GB")
    # null: reuse below $TLX_CACHE
    folder: str | None = aside(None)
    # examples at a time when the store is filled
    batch: int = aside(64)

    @property
    def views(self) -> int:
        """K of ``views=K``; 0 without."""
        word, _, count = self.augment.partition("=")
        return int(count) if word == "views" and count.isdigit() else 0

    @property
    def budget(self) -> int:
        """``disk`` in bytes; raises :class:`ValueError`."""
        number, unit = self.disk.split()
        return int(float(number) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[unit])


KINDS = {"store": Reuse}
