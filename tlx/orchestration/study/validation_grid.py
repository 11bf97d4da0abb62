"""When the trials of a study validate, where that is found out (``strategy.validate_every=auto``): all arms alike.

How often a trial is looked at decides how good the best of its looks is by chance, and each strategy by itself would
find an interval of its own. So the arms that have as many examples share the shortest one, whatever they may be tuned
to; it is written into the configuration of each trial, which says by itself from then on when it validates.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tlx.components.registry import component
from tlx.config.amount import AUTO
from tlx.config.dataset import SHUFFLE, Dataset
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial

if TYPE_CHECKING:  # torch: imported once an interval is to be found out
    from tlx.data.source import Source
    from tlx.strategies.validation_schedule import Counts

_KEY = "strategy.validate_every"
_log = logging.getLogger(__name__)


class ValidationGrid:
    """Finds the interval of a point's trials, from how many examples there are."""

    def __init__(self, candidates: Callable[[Any], list[Trial]]) -> None:
        """``candidates``: the trials of a point, one of each arm with each of the values it may be tuned to."""
        self._candidates = candidates
        self._peers: dict[Any, list[Trial]] = {}  # by point: those whose interval is to be found out
        self._sizes: dict[str, tuple[int, int]] = {}  # training and validation examples of a data set
        self._source: tuple[str, Source] | None = None  # that was read last
        self._epochs: dict[tuple[Any, ...], Fraction] = {}  # the interval, by point, splits and examples

    def settled(self, trial: Trial, point: Any) -> Trial:
        """The trial of a point, its interval in optimizer steps where it is to be found out.

        Raises:
            ConfigError: How many examples there are is known only once they have been fetched.
            DataError: The data cannot be read.
        """
        if trial.strategy.validate_every != AUTO:
            return trial
        counts = self._counts(trial)
        key = (point, trial.dataset.split_seed, trial.dataset.fold, counts.train, counts.val)
        if key not in self._epochs:
            self._epochs[key] = self._shortest(trial, point, counts)
        steps = _steps(self._epochs[key], counts)
        return replace(trial, strategy=replace(trial.strategy, validate_every=steps))

    def _shortest(self, trial: Trial, point: Any, counts: Counts) -> Fraction:
        """The shortest interval of the arms that have so many examples, in epochs: their batches may differ."""
        from tlx.strategies.validation_schedule import is_more, least_share, validation_interval

        if point not in self._peers:
            self._peers[point] = [one for one in self._candidates(point) if one.strategy.validate_every == AUTO]
        seed, fold = trial.dataset.split_seed, trial.dataset.fold
        peers = [replace(one, dataset=replace(one.dataset, split_seed=seed, fold=fold)) for one in self._peers[point]]
        found = [(one.strategy, self._counts(one)) for one in peers]
        found = [(one, its) for one, its in found if (its.train, its.val) == (counts.train, counts.val)]
        found = found or [(trial.strategy, counts)]
        epochs = min(Fraction(validation_interval(one, its), its.steps_per_epoch) for one, its in found)
        shares = [(least_share(replace(one, validate_every=_steps(epochs, its)), its), one.name) for one, its in found]
        if more := [one for one in shares if is_more(one[0])]:
            share, name = max(more)
            text = "tlx: %s=auto is %s for every arm at %s: validation is up to %.0f %% of the work (%s)"
            _log.warning(text, _KEY, _steps(epochs, counts), point, 100 * share, name)
        return epochs

    def _counts(self, trial: Trial) -> Counts:
        from tlx.data.order import Epochs
        from tlx.strategies.validation_schedule import Counts

        dataset = replace(trial.dataset, augment="none", augment_steps=[], mix="none", sampler=SHUFFLE)
        dataset = replace(dataset, shots_seed=None)  # another seed draws others, and as many
        key = repr(dataset)
        if key not in self._sizes:
            self._sizes[key] = self._sizes_of(dataset, trial.seed)
        train, val = self._sizes[key]
        return Counts(train, val, Epochs(train, trial.strategy.batch_size, seed=0).steps_per_epoch)

    def _sizes_of(self, dataset: Dataset, seed: int) -> tuple[int, int]:
        from tlx.data.module import read
        from tlx.data.splits import cut, take_shots

        if "outline" in component("dataset", dataset.kind).functions:
            message = "goes by how many examples there are, which is known once they have been fetched, and the trials "
            message += "of a study are named before that; set a length, such as '1 epochs'"
            raise ConfigError([ConfigIssue(_KEY, message, AUTO)])
        whole = replace(dataset, shots=None)
        if self._source is None or self._source[0] != repr(whole):
            self._source = repr(whole), read(whole)
        source = self._source[1]
        splits = take_shots(source, cut(source, dataset), dataset, seed)
        return len(splits["train"]), len(splits["val"])


def _steps(epochs: Fraction, counts: Counts) -> str:
    return f"{max(1, int(epochs * counts.steps_per_epoch))} steps"
