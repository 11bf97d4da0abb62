"""The rules by which train is cut in two: at random, with groups kept whole, or at a moment in time."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tlx.columns.reading import Indices, Strata
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.folds import fold_of, time_borders
from tlx.data.source import Source
from tlx.data.stratify import train_test_split
from tlx.data.units import dealt

Parts = tuple[Indices, Indices]  # what is left, and what is taken
_OFF = 0.25  # of a share: by more than that it is far from what was asked


class Rule(Protocol):
    """A way to cut examples in two."""

    def share(self, pool: Indices, share: float, name: str) -> Parts:
        """Take a share of the pool for the split of this name; raises :class:`DataError`."""

    def fold(self, pool: Indices, folds: int, fold: int) -> Parts:
        """Take one of so many folds of the pool to test; raises :class:`DataError`."""

    def remedy(self, folds: int, fold: int) -> str:
        """What can be done where a fold tests all of a class."""


class AtRandom:
    """Stratified by the target: :func:`~tlx.data.stratify.train_test_split`, :func:`~tlx.data.folds.fold_of`."""

    def __init__(self, source: Source, config: Dataset) -> None:
        self.source, self.config = source, config
        self.strata = source.strata

    def share(self, pool: Indices, share: float, name: str) -> Parts:
        """Stratified; in folds and without a test split, the only example of a class trains."""
        codes = None if self.strata is None else self.strata.codes[pool]
        is_spared = self.config.test == 0 or self.config.folds is not None
        alone = self._alone(pool) if is_spared else pool[:0]
        shared = ~np.isin(pool, alone)
        try:
            rest, taken = train_test_split(
                pool[shared],
                test_size=share,
                labels=None if codes is None else codes[shared],
                seed=self.config.split_seed,
            )
        except ValueError as error:
            raise DataError([_too_few(self.strata, pool, share, name, error, len(alone))]) from None
        return np.sort(np.concatenate([rest, alone])), np.sort(taken)

    def fold(self, pool: Indices, folds: int, fold: int) -> Parts:
        """As :class:`sklearn.model_selection.StratifiedKFold` deals them."""
        codes = None if self.strata is None else self.strata.codes[pool]
        try:
            chosen = fold_of(len(pool), folds, codes, self.config.split_seed) == fold
        except ValueError as error:
            raise DataError([ConfigIssue("dataset.folds", str(error), folds)]) from None
        return pool[~chosen], pool[chosen]

    def remedy(self, folds: int, fold: int) -> str:
        """Other folds have examples that are added."""
        return "leave them out, or add some that other folds can have"

    def _alone(self, pool: Indices) -> Indices:
        """Examples that are the only one of their class."""
        if self.strata is None:
            return pool[:0]
        codes = self.strata.codes[pool]
        counts = np.bincount(codes, minlength=len(self.strata.names))
        if few := np.flatnonzero(counts == 1).tolist():
            shown = ", ".join(repr(self.strata.names[code]) for code in few[:5]) + (", ..." if len(few) > 5 else "")
            message = f"of {len(few)} {self.strata.what}(es) with one example none validates, it trains: {shown}"
            self.source.notes.append(message)
        alone: Indices = pool[counts[codes] == 1]
        return alone


class InUnits:
    """What belongs together stays together, and classes have their shares as near as can be."""

    def __init__(self, source: Source, config: Dataset, units: Indices, what: str) -> None:
        self.source, self.strata = source, source.strata
        self.config, self.units, self.what = config, units, what

    def share(self, pool: Indices, share: float, name: str) -> Parts:
        """A share of the examples, in whole units."""
        part = self._dealt(pool, np.array([1 - share, share]), f"dataset.{name}", share)
        self._leave_one_of_each_class(pool, part)
        self._look_at_share(name, int((part == 1).sum()), len(pool), share)
        return pool[part == 0], pool[part == 1]

    def fold(self, pool: Indices, folds: int, fold: int) -> Parts:
        """Folds of one size, in whole units."""
        part = self._dealt(pool, np.full(folds, 1 / folds), "dataset.folds", folds)
        self._look_at_share(f"fold {fold}", int((part == fold).sum()), len(pool), 1 / folds)
        return pool[part != fold], pool[part == fold]

    def remedy(self, folds: int, fold: int) -> str:
        """Other folds have units that are added."""
        return f"leave them out, or add some outside of their {self.what}, as these stay whole"

    def _look_at_share(self, name: str, count: int, whole: int, share: float) -> None:
        """Say that a part is far from what was asked, as what stays together is too large or of too few classes."""
        off = abs(count - share * whole)
        if off >= 1 and off > _OFF * share * whole:
            said = f"{name} has {count:,} of {whole:,} examples ({100 * count / whole:.3g} %) in place of "
            self.source.notes.append(f"{said}{100 * share:.3g} %: {self.what} stay whole")

    def _leave_one_of_each_class(self, pool: Indices, part: Indices) -> None:
        """What trains has each class: one that was all taken gives its smallest unit back, unless it is the last."""
        if self.strata is None:
            return
        codes, units = self.strata.codes[pool], self.units[pool]
        for missing in np.setdiff1d(codes, codes[part == 0]):
            numbers, sizes = np.unique(units[codes == missing], return_counts=True)
            back = units == numbers[sizes.argmin()]
            if (part[~back] == 1).any():
                part[back] = 0

    def _dealt(self, pool: Indices, shares: npt.NDArray[np.float64], key: str, value: float) -> Indices:
        codes = None if self.strata is None else self.strata.codes[pool]
        try:
            return dealt(self.units[pool], codes, shares, self.config.split_seed)
        except ValueError as error:
            raise DataError([ConfigIssue(key, f"{self.what}: {error}", value)]) from None


class InTime:
    """The latest are taken. What is of one moment stays together."""

    def __init__(self, source: Source, times: npt.NDArray[np.float64]) -> None:
        self.source, self.times = source, times

    def share(self, pool: Indices, share: float, name: str) -> Parts:
        """The latest share of the pool."""
        border = len(pool) - math.ceil(share * len(pool))
        cuts = self._cuts(pool, [border], f"dataset.{name}")
        return np.sort(self._in_order(pool)[: cuts[0]]), np.sort(self._in_order(pool)[cuts[0] :])

    def fold(self, pool: Indices, folds: int, fold: int) -> Parts:
        """As :class:`sklearn.model_selection.TimeSeriesSplit`: what is before a fold trains, the rest is unused."""
        try:
            borders = time_borders(len(pool), folds)
        except ValueError as error:
            raise DataError([ConfigIssue("dataset.folds", str(error), folds)]) from None
        start, stop = self._cuts(pool, borders[fold : fold + 2], "dataset.folds")
        if start == stop:
            message = f"fold {fold} is empty: too many examples are of one moment"
            raise DataError([ConfigIssue("dataset.folds", message, folds)])
        if stop < len(pool):
            self.source.notes.append(f"{len(pool) - stop:,} examples are later than fold {fold} and are not used")
        in_order = self._in_order(pool)
        return np.sort(in_order[:start]), np.sort(in_order[start:stop])

    def remedy(self, folds: int, fold: int) -> str:
        """What is earlier trains; the folds that come after this one train on what it tests."""
        if fold + 1 == folds:
            return "leave them out, or add some that are earlier"
        return f"leave them out, add some that are earlier, or take dataset.fold={fold + 1}, which trains on them"

    def _in_order(self, pool: Indices) -> Indices:
        return pool[np.argsort(self.times[pool], kind="stable")]

    def _cuts(self, pool: Indices, borders: list[int], key: str) -> list[int]:
        """Borders that part no moment: each goes back to where its own begins, or on, where nothing would be left."""
        times, found, moved = self.times[self._in_order(pool)], [], 0
        for border in borders:
            cut = border
            if 0 < border < len(pool):
                first, last = (
                    np.searchsorted(times, times[border], "left"),
                    np.searchsorted(times, times[border], "right"),
                )
                cut = int(first) if first > 0 else int(last)
                moved += abs(cut - border)
            found.append(cut)
        if not 0 < found[0] < len(pool):
            message = f"{len(pool):,} examples cannot be parted: all but some are of one moment, or there is one"
            raise DataError([ConfigIssue(key, message)])
        if moved:
            self.source.notes.append(f"{moved:,} examples of the moment at a border of the splits stay together")
        return found


def _too_few(
    strata: Strata | None, pool: Indices, share: float, name: str, error: ValueError, alone: int
) -> ConfigIssue:
    """Why a share cannot be cut, by the rarest class."""
    if alone:
        message = f"{alone} of {len(pool)} examples are the only one of their class, and of the others {error}"
        return ConfigIssue(f"dataset.{name}", message, share)
    if strata is not None and len(pool):
        counts = np.bincount(strata.codes[pool], minlength=len(strata.names))
        rare = int(counts.argmin())
        if counts[rare] < 2:
            who = f"{strata.what} {strata.names[rare]!r}"
            message = f"{who} has {counts[rare]} example(s): too few to give one to {name}{strata.hint}"
            return ConfigIssue(f"dataset.{name}", f"{message}; dataset.test=0 does without a test split", share)
    return ConfigIssue(f"dataset.{name}", f"cannot be cut from {len(pool)} examples: {error}", share)
