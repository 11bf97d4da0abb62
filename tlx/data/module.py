"""The data of one trial: source, splits and pre-flight first, loaders once the network has said what it reads."""

from __future__ import annotations

import copy
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np

from tlx.columns import Image
from tlx.columns.batch import Batch
from tlx.columns.input_spec import InputSpec
from tlx.columns.schema import Schema
from tlx.components.registry import component
from tlx.config import augmentation, dataset, image_values
from tlx.config.errors import ConfigIssue, DataError
from tlx.data import duplicates, splits, validation
from tlx.data.examples import Examples, too_large
from tlx.data.fingerprint import fingerprint
from tlx.data.loading import Loading
from tlx.data.order import PLAIN, Batches, Epochs, Item, borders
from tlx.data.sampling import sampling
from tlx.data.shared_images import OpenMap, SharedImages
from tlx.data.source import Source
from tlx.data.unknown_labels import for_training

Loader = Iterable[Batch]
Load = Callable[[str, Batches], Loader]  # how batches of a split become tensors


def read(config: dataset.Dataset) -> Source:
    """The source behind a configuration, its values as its columns read them; raises :class:`DataError`."""
    source: Source = component("dataset", config.kind).function()(config)
    source.contents = {name: cache(hashes) for name, hashes in source.contents.items()}  # they are asked for repeatedly
    source.columns = [
        column.declared(image_values.of_column(config, column.name)) if isinstance(column, Image) else column
        for column in source.columns
    ]
    return source.encoded(config.limits)


class Data:
    """Train, validation and test examples of one trial.

    ``seed`` fixes the shots (unless the data set fixes them), ``order_seed`` the order and the augmentation; ``share``
    opens the prepared images that trials share.
    """

    def __init__(
        self,
        config: dataset.Dataset,
        *,
        seed: int,
        batch_size: int,
        workers: int = 0,
        pinned: bool = False,
        memory: int = 0,
        order_seed: int | None = None,
        share: OpenMap | None = None,
    ) -> None:
        self.config = config
        self.seed = seed
        self.order_seed = seed if order_seed is None else order_seed
        self.batch_size = batch_size
        self.workers, self.pinned, self.memory = workers, pinned, memory
        self._share = share
        self.fingerprint = fingerprint(config)
        source = read(config)
        copies = duplicates.copies_of(source, config)
        self._all_sound = validation.check(source, splits.cut(source, config, copies), config, self.fingerprint)
        self._looked_at, self._notes, self._copies = source, list(source.notes), copies
        self._begin()

    def _begin(self) -> None:
        """Take all that is sound, whatever a network may leave out of it."""
        self.sound, self._told = self._all_sound, len(self._notes)
        self._settle()
        self.examples: dict[str, Examples] = {}
        self._loading: Loading | None = None

    def _settle(self) -> None:
        """Take the shots of what is sound, and have the columns learn of those that train."""
        del self._looked_at.notes[self._told :]
        self.splits = splits.take_shots(self._looked_at, self.sound, self.config, self.seed)
        duplicates.look(self._looked_at, self.splits, self.config, self._copies)
        self.source = self._looked_at.fitted(self.splits["train"], self.config.limits)
        validation.look_at_splits(self.source, self.splits)

    def with_seeds(self, seed: int, order_seed: int, batch_size: int) -> Data:
        """The same files with the shots of another seed, for another network; they are not looked at again.

        Raises:
            DataError: There are too few examples for these shots.
        """
        other = copy.copy(self)
        other.seed, other.order_seed, other.batch_size = seed, order_seed, batch_size
        other._looked_at = replace(self._looked_at, notes=list(self._notes))
        other._begin()
        return other

    def reseeded(self, seed: int, order_seed: int) -> Data:
        """The same examples in another order; their shots must not depend on the seed."""
        other = copy.copy(self)
        other.seed, other.order_seed = seed, order_seed
        other._loading = None
        return other

    @property
    def has_test(self) -> bool:
        """Is there a test split? Not with ``dataset.test=0``, unless the data bring one."""
        return "test" in self.splits

    def hashes(self) -> dict[str, str]:
        """Number of examples of each split, and a hash of which and in what order."""
        return {name: splits.hashed(indices) for name, indices in self.splits.items()}

    @property
    def schema(self) -> Schema:
        """What the model must know before it is built."""
        return self.source.schema(self.splits)

    def prepare(self, specs: Mapping[str, InputSpec], views: int = 0) -> None:
        """Bind the splits to what the network reads; with ``views``, augmentations are those of that many epochs.

        What :meth:`leave_out` would leave out is to be left out by now, as the network is built by what is left.

        Args:
            specs: By column, what the backbone expects of it.
            views: Augmentations that come again and again; 0: new ones in each epoch.
        """
        self._loading = None
        images = None
        if self._share is not None:
            images = SharedImages(self.source, self.config.name, self.memory, self._share)
        for name, indices in self.splits.items():
            kind = self.config.augment if name == "train" else "none"
            self.examples[name] = Examples(
                for_training(self.source, self.config) if name == "train" else self.source,
                indices,
                specs,
                augmentation=kind,
                seed=self.order_seed,
                views=views,
                limits=self.config.limits,
                steps=augmentation.steps(kind, self.config.augment_steps),
                memory=0 if name == "test" else self.memory // 2,  # that is read once
                images=images,
            )

    def leave_out(self, specs: Mapping[str, InputSpec]) -> bool:
        """Leave out images that would be too large once resized for a backbone.

        Args:
            specs: By column, what the backbone expects of it.

        Returns:
            Whether there were some: the columns have learned anew, and what was built by the schema is out of date.

        Raises:
            DataError: There are some, and they are not to be left out.
        """
        if not (bad := self._too_large(specs)):
            return False
        del self._looked_at.notes[self._told :]
        self.sound = validation.without(self._looked_at, self.sound, self.config, bad)
        self._told = len(self._looked_at.notes)
        self._settle()
        return True

    def _too_large(self, specs: Mapping[str, InputSpec]) -> dict[int, str]:
        """Examples of the splits that the backbone's size makes too large."""
        found = too_large(self.source, specs, self.config.limits)
        mine = np.concatenate(list(self.sound.values()))
        return {i: found[i] for i in sorted(found.keys() & set(mine.tolist()))} if found else {}

    def epochs(self, world: int = 1, accumulate: int = 1) -> Epochs:
        """The training order. Every process gets at least two examples of every batch, as norm layers need."""
        count = len(self.splits["train"])
        drawn = sampling(self.source, self.splits["train"], self.config)
        epochs = Epochs(count, self.batch_size, self.order_seed, sampling=drawn)
        smallest = min(b - a for a, b in itertools.pairwise(epochs.borders))
        if smallest < 2 * world * accumulate:
            what = f"{count} training examples" if count == smallest else f"a batch of {smallest} (of {count} examples)"
            verb = "are" if count == smallest else "is"
            message = (
                f"{what} {verb} too few for {world} device(s) x {accumulate} accumulation steps, two examples each"
            )
            raise DataError([ConfigIssue("strategy.batch_size", message, self.batch_size)])
        for name in ("val", "test"):
            if name in self.splits and len(self.splits[name]) < world:
                message = f"{len(self.splits[name])} examples cannot be shared by {world} devices"
                raise DataError([ConfigIssue(f"dataset.{name}", message)])
        return epochs

    def train_loader(
        self,
        epochs: Epochs,
        start: int,
        stop: int,
        *,
        accumulate: int = 1,
        rank: int = 0,
        world: int = 1,
        plain: bool = False,
        load: Load | None = None,
    ) -> Loader:
        """Optimizer steps ``start`` to ``stop`` of training; ``plain``: without augmentation."""

        def ordered(start: int, stop: int = sys.maxsize) -> Iterator[list[Item]]:
            for batch in epochs.batches(start, stop):
                yield [(PLAIN, position) for _, position in batch] if plain else batch

        batches = Batches(list(ordered(start, stop)), accumulate, rank, world, partial(ordered, stop))
        return (load or self.loader)("train", batches)

    def eval_loader(self, name: str, *, rank: int = 0, world: int = 1, load: Load | None = None) -> Loader:
        """A split in its own order, each example exactly once over all processes."""
        count = len(self.splits[name])
        cuts = borders(count, max(world, self.config.eval_batch_size), world)
        batches = [[(0, i) for i in range(a, b)] for a, b in itertools.pairwise(cuts)]
        return (load or self.loader)(name, Batches(batches, 1, rank, world))

    def loader(self, name: str, batches: Batches) -> Loader:
        """Batches of a split, decoded and prepared."""
        if self._loading is None:
            self._loading = Loading(self.examples, self.workers, self.pinned)
        return self._loading.batches(name, batches)

    def close(self) -> None:
        """End the processes that load, if there are any; whoever reads on starts others."""
        if self._loading is not None:
            self._loading.close()
