"""Batches of a trial's splits, made here or by worker processes that live as long as the trial."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from tlx.columns.batch import Batch
from tlx.data.examples import Examples
from tlx.data.order import Batches, Item

Wanted = tuple[str, list[Item]]  # of which split, which examples


class Loading:
    """Makes batches.

    Workers are started once, for training and for the splits that are held out. Those that train go on to the batches
    of the next round while this process validates, as its order is known.

    Args:
        examples: By split.
        workers: Processes that make batches, 0 for none, where there is more to do than to look values up.
        pinned: Put batches where a GPU copies them from without anybody waiting.
    """

    def __init__(self, examples: Mapping[str, Examples], workers: int, pinned: bool = False) -> None:
        self._examples = _Splits(examples)
        self._workers = workers
        self._pinned = pinned
        self._streams: dict[bool, _Stream] = {}  # is it the one that trains?

    def batches(self, split: str, batches: Batches) -> Round:
        """The batches of a round, or of a whole split."""
        return Round(self, split, batches)

    def begin(self, split: str, batches: Batches) -> Iterator[Batch]:
        """Read batches, going on with what has been begun where these are the next."""
        if not self._workers or self._examples.examples[split].is_ready:
            yield from map(self._examples.__getitem__, ((split, items) for items in batches))
            return
        trains = split == "train"
        if trains not in self._streams:
            self._streams[trains] = _Stream(self._examples, self._workers, self._pinned)
        yield from self._streams[trains].read(split, batches)

    def close(self) -> None:
        """End the processes; who asks for batches after that starts others."""
        while self._streams:
            self._streams.popitem()[1].close()


class Round:
    """The batches of a round: read anew whenever somebody begins to."""

    def __init__(self, loading: Loading, split: str, batches: Batches) -> None:
        self._loading, self._split, self.batches = loading, split, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return self._loading.begin(self._split, self.batches)


class _Splits(Dataset[Batch]):
    """All splits as one torch data set, whose items are whole batches."""

    def __init__(self, examples: Mapping[str, Examples]) -> None:
        self.examples = examples

    def __getitem__(self, wanted: Wanted) -> Batch:
        split, items = wanted
        return self.examples[split].__getitems__(items)


class _Stream:
    """What workers have been asked for, in order, and what they answer."""

    def __init__(self, examples: _Splits, workers: int, pinned: bool) -> None:
        self._asked = _Asked()
        self._answers: Iterator[Batch] | None = None
        self._loader = DataLoader(
            examples,
            batch_size=None,  # an item is a batch
            collate_fn=_as_it_is,
            sampler=self._asked,
            num_workers=workers,
            multiprocessing_context="fork",  # a sweep's trials would have another by default
            persistent_workers=True,
            pin_memory=pinned,
            generator=torch.Generator(),  # it draws a number whenever it starts: not from those training draws
        )

    def read(self, split: str, batches: Batches) -> Iterator[Batch]:
        for number, items in enumerate(batches):
            if self._answers is None or self._asked.next() != (split, items):
                self._asked.ask(split, batches.onwards(number))
                self._answers = iter(self._loader)
            batch = next(self._answers)
            self._asked.waiting.popleft()
            yield batch

    def close(self) -> None:
        """End the workers now: before torch 2.15, Python waits five seconds for each that is there when it ends."""
        self._answers = None
        del self._loader


def _as_it_is(batch: Any) -> Any:
    return batch


class _Asked(Sampler[Wanted]):
    """The batches that workers are asked for: those of a round, then those that come after it."""

    def __init__(self) -> None:
        self.waiting: deque[Wanted] = deque()  # for an answer
        self._order: Iterator[Wanted] = iter(())

    def ask(self, split: str, order: Iterator[list[Item]]) -> None:
        """Ask for these batches, and for nothing else any more."""
        self.waiting.clear()
        self._order = ((split, items) for items in order)

    def next(self) -> Wanted | None:
        """What is answered next."""
        return self.waiting[0] if self.waiting else None

    def __iter__(self) -> Iterator[Any]:
        for wanted in self._order:
            self.waiting.append(wanted)
            yield wanted
