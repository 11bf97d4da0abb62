"""Draw examples so that strata, such as the classes of a label, are seen more evenly than they occur.

Examples are drawn with replacement over training, yet systematically, so that nothing is left to luck: after any number
of epochs each stratum has had its share to within one example, and within a stratum no example comes again before all
others of it have come. What an epoch draws is a pure function of (seed, epoch).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tlx.columns import Column, Label, Labels
from tlx.columns.reading import Indices
from tlx.config.dataset import SHUFFLE, Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.source import Source

_SHOWN = 4  # strata that are named
_MOST = 1 << 16  # examples of permutations that are drawn together, at the most


@dataclass(frozen=True)
class Sampling:
    """What stratum each example that trains is in, and how often strata are drawn.

    Args:
        kind: ``balanced``: all strata alike; ``square_root``: by the square root of their size (Mahajan et al. 2018).
        codes: The stratum of each example [examples].
        names: Of the strata.
        what: What a stratum is, such as a class.
    """

    kind: str
    codes: Indices
    names: tuple[str, ...]
    what: str = "class"

    @cached_property
    def counts(self) -> Indices:
        """Examples of each stratum."""
        return np.bincount(self.codes, minlength=len(self.names))

    @cached_property
    def expected(self) -> npt.NDArray[np.float64]:
        """Draws from each stratum in an epoch, which has as many as there are examples; none from an empty one."""
        there = self.counts > 0
        weights = there.astype(float) if self.kind == "balanced" else np.sqrt(self.counts)
        return len(self.codes) * weights / math.fsum(weights)

    def draw(self, seed: int, epoch: int) -> tuple[Indices, Indices]:
        """The draws of an epoch, shuffled.

        Returns:
            How often each was drawn before, since training began, and its position among the examples.
        """
        starts, stops = self._before(seed, epoch), self._before(seed, epoch + 1)
        parts = [self._of_stratum(seed, code, int(starts[code]), int(stops[code])) for code in range(len(self.names))]
        passes, positions = (np.concatenate(one) for one in zip(*parts, strict=True))
        order = np.random.default_rng([seed, epoch]).permutation(len(positions))
        return passes[order], positions[order]

    def _before(self, seed: int, epoch: int) -> Indices:
        """Draws from each stratum before an epoch: those up to it in a drawn order, less those up to the one before.

        As every stratum is expected at least once per epoch, this never falls from one epoch to the next.
        """
        order = np.random.default_rng([seed, *self.counts]).permutation(np.flatnonzero(self.counts))
        borders = epoch * np.cumsum(self.expected[order])
        borders[-1] = epoch * len(self.codes)
        found = np.zeros(len(self.names), dtype=np.int64)
        found[order] = np.diff(np.floor(borders).astype(np.int64), prepend=0)
        return found

    def _of_stratum(self, seed: int, code: int, start: int, stop: int) -> tuple[Indices, Indices]:
        """Draws ``start`` to ``stop`` of an endless row of permutations of a stratum; each block has a stream."""
        mine = self._members[code]
        if start == stop:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        rows = min(math.ceil(self.expected[code] / len(mine)), max(1, _MOST // len(mine)))
        size = rows * len(mine)
        first, last = start // size, (stop - 1) // size
        blocks = [self._block(seed, code, number, rows) for number in range(first, last + 1)]
        chosen = np.concatenate(blocks)[start - first * size : stop - first * size]
        return np.arange(start, stop) // len(mine), mine[chosen]

    def _block(self, seed: int, code: int, number: int, rows: int) -> Indices:
        members = np.tile(np.arange(len(self._members[code])), (rows, 1))
        rng = np.random.default_rng([seed, code, number, rows])
        return rng.permuted(members, axis=1).ravel()

    @cached_property
    def _members(self) -> list[Indices]:
        order = np.argsort(self.codes, kind="stable")
        return np.split(order, np.cumsum(self.counts)[:-1])

    def __str__(self) -> str:
        """Say how many examples of each stratum there are, and how many an epoch is expected to draw."""
        order = np.argsort(-self.counts, kind="stable")
        order = order if len(order) <= _SHOWN else np.concatenate([order[: _SHOWN // 2], order[-_SHOWN // 2 :]])
        shown = [f"{self.names[i]!r} {self.counts[i]} -> {self.expected[i]:.4g}" for i in order]
        if len(self.names) > _SHOWN:
            shown.insert(_SHOWN // 2, f"... {len(self.names) - _SHOWN} more ...")
        return f"{self.kind}: examples of each {self.what} in train -> drawn per epoch: {', '.join(shown)}"


def sampling(source: Source, train: Indices, config: Dataset) -> Sampling | None:
    """How the examples that train are drawn; None where each comes once per epoch.

    Raises:
        DataError: There is not one label per example to go by.
    """
    check_targets(source.columns, config)
    strata = source.strata if config.sampler != SHUFFLE else None
    return Sampling(config.sampler, strata.codes[train], tuple(strata.names), strata.what) if strata else None


def check_targets(columns: Sequence[Column], config: Dataset) -> None:
    """Raise :class:`DataError` where examples are to be drawn by their label, and have not one each."""
    targets = [column for column in columns if column.role == "target"]
    if config.sampler == SHUFFLE or (len(targets) == 1 and isinstance(targets[0], Label)):
        return
    there = ", ".join(f"{column.name!r} ({column.kind})" for column in targets) or "no target"
    message = f"draws by the one label of an example, and predicted are {there}; set dataset.sampler={SHUFFLE}"
    if any(isinstance(column, Labels) for column in targets):
        message += ", and task.loss.class_weight=auto, by which a label's positives weigh as its negatives"
    raise DataError([ConfigIssue("dataset.sampler", message, config.sampler)])
