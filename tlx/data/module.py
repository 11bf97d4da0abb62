"""The data of one trial: source, splits and pre-flight first, loaders once the backbone has said what it reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from torch.utils.data import DataLoader

from tlx.backbones.spec import Spec
from tlx.config.errors import DataError, Problem
from tlx.data import options, preflight, splits
from tlx.data.examples import Examples, Sample
from tlx.data.fingerprint import fingerprint
from tlx.data.order import Batches, Epochs, borders
from tlx.data.source import DataInfo, Source

Collate = Callable[[list[Sample]], dict[str, Any]]


def read(config: options.Dataset) -> Source:
    """The source behind a configuration; raises :class:`DataError`."""
    source: Source = import_module(f"tlx.data.{config.kind}").load(config)
    return source


class Data:
    """Train, validation and test examples of one trial.

    ``seed`` fixes the shots (unless the data set fixes them), the order and the augmentation.
    """

    def __init__(self, config: options.Dataset, *, seed: int, batch_size: int, workers: int = 0) -> None:
        self.config = config
        self.seed = seed
        self.batch_size = batch_size
        self.workers = workers
        self.fingerprint = fingerprint(config)
        self.source = read(config)
        sound = preflight.check(self.source, splits.cut(self.source, config), config, self.fingerprint)
        self.splits = splits.take_shots(self.source, sound, config, seed)
        self.examples: dict[str, Examples] = {}

    @property
    def info(self) -> DataInfo:
        """What the model must know before it is built."""
        return DataInfo(
            modality=self.source.modality,
            classes=tuple(self.source.classes),
            channels=self.source.channels,
            n_train=len(self.splits["train"]),
            n_val=len(self.splits["val"]),
            n_test=len(self.splits["test"]),
            multilabel=self.source.multilabel,
        )

    def prepare(self, spec: Spec) -> None:
        """Bind the splits to what the backbone reads."""
        for name, indices in self.splits.items():
            augmentation = self.config.augment if name == "train" else "none"
            self.examples[name] = Examples(self.source, indices, spec, augmentation=augmentation, seed=self.seed)

    def epochs(self, world: int = 1, accumulate: int = 1) -> Epochs:
        """The training order. Every process gets at least two examples of every batch, as norm layers need."""
        count = len(self.splits["train"])
        epochs = Epochs(count, self.batch_size, self.seed)
        smallest = min(b - a for a, b in itertools.pairwise(epochs.borders))
        if smallest < 2 * world * accumulate:
            what = f"{count} training examples" if count == smallest else f"a batch of {smallest} (of {count} examples)"
            verb = "are" if count == smallest else "is"
            message = (
                f"{what} {verb} too few for {world} device(s) x {accumulate} accumulation steps, two examples each"
            )
            raise DataError([Problem("strategy.batch_size", message, self.batch_size)])
        for name in ("val", "test"):
            if len(self.splits[name]) < world:
                message = f"{len(self.splits[name])} examples cannot be shared by {world} devices"
                raise DataError([Problem(f"dataset.{name}", message)])
        return epochs

    def train_loader(
        self,
        collate: Collate,
        epochs: Epochs,
        start: int,
        stop: int,
        *,
        accumulate: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> DataLoader[Any]:
        """Optimizer steps ``start`` to ``stop`` of training."""
        batches = Batches(list(epochs.batches(start, stop)), accumulate, rank, world)
        return self._loader("train", collate, batches)

    def eval_loader(self, name: str, collate: Collate, *, rank: int = 0, world: int = 1) -> DataLoader[Any]:
        """A split in its own order, each example exactly once over all processes."""
        count = len(self.splits[name])
        cuts = borders(count, max(world, self.config.eval_batch_size), world)
        batches = [[(0, i) for i in range(a, b)] for a, b in itertools.pairwise(cuts)]
        return self._loader(name, collate, Batches(batches, 1, rank, world))

    def _loader(self, name: str, collate: Collate, batches: Iterable[Any]) -> DataLoader[Any]:
        return DataLoader(
            self.examples[name],
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=self.workers,
        )
