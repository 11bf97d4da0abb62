"""The order in which examples are seen: a pure function of (seed, epoch), the same for any worker or device count.

Training runs in *rounds*: a round is the stretch between two validations, an epoch of the data unless the strategy
validates more or less often. Every example is seen exactly once per epoch, unless a sampler draws as many of them; a
remainder too small for a batch of its own (norm layers need two examples per device) joins the batch before it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

from tlx.columns.reading import PLAIN, Indices, Item
from tlx.data.sampling import Sampling

__all__ = ["PLAIN", "Batches", "Epochs", "Indices", "Item", "borders"]

SMALLEST = 8  # does not depend on the hardware, as what a trial computes does not


@dataclass(frozen=True)
class Epochs:
    """Batches of ``count`` shuffled or drawn examples, epoch after epoch."""

    count: int
    batch_size: int
    seed: int
    least: int = SMALLEST  # a remainder of fewer examples joins the batch before it
    sampling: Sampling | None = None  # how examples are drawn; None: each once per epoch

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps that see as many examples as there are."""
        return len(self.borders) - 1

    @property
    def borders(self) -> list[int]:
        """Where batches begin and end within an epoch."""
        return borders(self.count, self.batch_size, min(self.least, self.batch_size))

    def size(self, step: int) -> int:
        """Examples in the batch of an optimizer step."""
        position = step % self.steps_per_epoch
        return self.borders[position + 1] - self.borders[position]

    def batches(self, start: int, stop: int = sys.maxsize) -> Iterator[list[Item]]:
        """The batches of optimizer steps ``start`` to ``stop``, counted from the beginning of training."""
        for passes, positions in self.positions(start, stop):
            yield list(zip(passes.tolist(), positions.tolist(), strict=True))

    def positions(self, start: int, stop: int) -> Iterator[tuple[Indices, Indices]]:
        """The same as arrays: how often each example was seen before, and positions among the examples."""
        cuts, steps = self.borders, self.steps_per_epoch
        epoch, passes, order = -1, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        for step in range(start, stop):
            now, place = divmod(step, steps)
            if now != epoch:
                epoch, (passes, order) = now, self.draw(now)
            chosen = slice(cuts[place], cuts[place + 1])
            yield passes[chosen], order[chosen]

    def draw(self, epoch: int) -> tuple[Indices, Indices]:
        """The examples of one epoch: how often each was seen before, which tells its augmentations apart, and where."""
        if self.sampling is not None:
            return self.sampling.draw(self.seed, epoch)
        return np.full(self.count, epoch), self.order(epoch)

    def order(self, epoch: int) -> Indices:
        """The permutation of one epoch that sees every example once."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.count)


def borders(count: int, batch_size: int, least: int) -> list[int]:
    """Batch borders over ``count`` examples; the last batch has at least ``least``."""
    cuts = [*range(0, count, batch_size), count]
    if len(cuts) > 2 and count - cuts[-2] < least:
        del cuts[-2]
    return cuts


class Batches(Sampler[list[Item]]):
    """This process's share of a list of batches: every ``world``-th example, beginning at ``rank``.

    Args:
        batches: Of the examples of all processes.
        accumulate: Parts that a process takes one after the other.
        rank: Of this process.
        world: How many there are.
        following: The batches that will be asked for after these, for those who read ahead.
    """

    def __init__(
        self,
        batches: Sequence[list[Item]],
        accumulate: int = 1,
        rank: int = 0,
        world: int = 1,
        following: Callable[[], Iterator[list[Item]]] | None = None,
    ) -> None:
        self.batches = [part for batch in batches for part in _parts(batch, accumulate, rank, world)]
        self._share = (accumulate, rank, world)
        self._following = following

    def onwards(self, number: int) -> Iterator[list[Item]]:
        """From the batch of this number on, then those that follow."""
        yield from self.batches[number:]
        for batch in self._following() if self._following is not None else ():
            yield from _parts(batch, *self._share)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Item]]:
        return iter(self.batches)


def _parts(batch: list[Item], accumulate: int, rank: int, world: int) -> Iterator[list[Item]]:
    mine = batch[rank::world]
    for k in range(accumulate):
        yield mine[k::accumulate]
