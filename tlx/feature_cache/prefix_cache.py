"""The frozen prefix of a trial: batches whose constant part is read instead of computed, wherever that is exact.

Everything is decided when a split is first asked for, and said: in the event log (``reuse`` events) and to the person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from tlx.backbones.backbone import Backbone
from tlx.columns.batch import Batch
from tlx.config.cache import cache_root
from tlx.config.reuse import Reuse
from tlx.data.module import Data, Loader
from tlx.data.order import Batches
from tlx.feature_cache.context import CacheContext
from tlx.feature_cache.cut import FrozenPrefix, NotCacheable, cut, whole_backbone
from tlx.feature_cache.entry import CorruptEntryError
from tlx.feature_cache.loader import Replayed
from tlx.feature_cache.manager import CachedSplit, CacheManager, Split
from tlx.feature_cache.policy import Need
from tlx.feature_cache.replay import Replay
from tlx.feature_cache.store import Store


@dataclass(frozen=True)
class PhaseUsage:
    """A stretch of training with one set of trained tensors, and how often it will pass over each split."""

    trainable: frozenset[str]
    passes: Mapping[str, float]


class PrefixCache:
    """Serves batches of a trial's splits, their constant part read from the store where that is exact and pays."""

    def __init__(
        self,
        options: Reuse,
        model: nn.Module,
        backbone: Backbone,
        data: Data,
        obstacle: str = "",
        inner: str = "",
        title: str = "",
    ) -> None:
        """``title``: what people call the backbone.

        ``obstacle``: why nothing can be reused here, if so; ``inner``: why nothing but features can.
        """
        self.options = options
        self.model = model
        self.backbone = backbone
        self.data = data
        self.obstacle = obstacle or ("reuse.when=off" if options.when == "off" else "")
        self.inner = inner
        self.num_readers: Mapping[str, int] = {}  # trials of a sweep that read the same of a split, this one included
        self.room = CacheManager(options, store(options), model, data, title)
        self._cuts: dict[Any, FrozenPrefix | str] = {}  # by trained tensors and modes
        self._weights = ""  # of the constant part at hand
        self._stretches: list[PhaseUsage] = []  # the one at hand, and those to come
        self._replay: Replay | None = None
        self._stocks: dict[str, CachedSplit | None] = {}

    def surround(self, around: CacheContext) -> None:
        """Work for this trainer from now on."""
        self.room.around = around

    def enter(self, now: PhaseUsage, *later: PhaseUsage) -> None:
        """Begin a stretch; the model is in its modes. What ``later`` ones need may be filled by the same pass."""
        before = (self._replay.cut, self._weights) if self._replay is not None else None
        self._stretches = [now, *later]
        found = self.cut(now.trainable) if self._is_worth_a_look(0) else "too little is computed again"
        self._weights = self.room.weights(found) if isinstance(found, FrozenPrefix) else ""
        if isinstance(found, str) or (found, self._weights) != before:
            self.close()
            self._replay = Replay(self.model, found) if isinstance(found, FrozenPrefix) else None

    def _is_worth_a_look(self, number: int) -> bool:
        """Could a stretch spare more than it costs to find out what is constant? A whole backbone is found for free."""
        trainable = self._stretches[number].trainable
        whole = not any(name.startswith("backbone.") for name in trainable)
        names = [name for name in self._stretches[number].passes if not self._is_augmented(name) or self.options.views]
        return whole or self.options.when == "always" or any(self._need(name, number).plenty for name in names)

    def cut(self, trainable: frozenset[str]) -> FrozenPrefix | str:
        """The constant part for a set of trained tensors, in the present modes, or why there is none."""
        key = (trainable, tuple(module.training for module in self.model.modules()))
        if key not in self._cuts:
            self._cuts[key] = self._find(trainable)
        return self._cuts[key]

    def _find(self, trainable: frozenset[str]) -> FrozenPrefix | str:
        names = [name for name, _ in self.model.named_parameters() if name.startswith("backbone.")]
        if self.obstacle or not names:
            return self.obstacle or "raw inputs are features already"
        whole = whole_backbone(self.model, trainable, self.backbone.width)
        if whole is not None or self.inner:
            return whole or self.inner
        if names[0] in trainable:
            return "nothing runs before the first trained tensor"
        try:
            return cut(self.model, trainable)
        except NotCacheable as reason:
            return str(reason)

    @property
    def is_plain(self) -> bool:
        """Do training examples come without augmentation now? Whether anything is kept makes no difference to it."""
        trained = self._stretches[0].trainable if self._stretches else frozenset[str]()
        return self.options.augment == "off" and not any(name.startswith("backbone.") for name in trained)

    @property
    def is_features(self) -> bool:
        """Do training and validation read kept features of the whole backbone, and nothing else?"""
        whole = self._replay is not None and self._replay.cut.is_features
        return whole and all(self._stock(name) is not None for name in ("train", "val"))

    def load(self, name: str, batches: Batches) -> Loader:
        """Batches of a split, with what is kept of them where something is."""
        stock = self._stock(name)
        if stock is None or self._replay is None:
            return self.data.loader(name, batches)
        return Replayed(
            self.data.examples[name],
            stock.features,
            batches.batches,
            self._split(name).views,
            columns=self._light_columns(self._replay.cut),
            usual=lambda rest: self.data.loader(name, Batches([list(items) for items in rest])),
            damaged=lambda damage: self._damaged(name, damage),
        )

    def kept(self) -> dict[str, CachedSplit]:
        """What is kept of each split that has been asked for."""
        return {name: stock for name, stock in self._stocks.items() if stock is not None}

    def features(self, name: str) -> Tensor:
        """The features of a whole split [examples, width], in its order, kept or not; the backbone must be frozen."""
        stock = self._stock(name)
        if stock is not None:
            return stock.features[0].take(np.arange(len(self.data.splits[name])))[0]
        return self.room.features(self._split(name))

    def views(self, name: str) -> int:
        """How many augmentations of each example are kept of a split; 0 where it has none."""
        return self._split(name).views

    def _light_columns(self, now: FrozenPrefix) -> list[str]:
        """The columns that the network reads although what the backbone makes of others is kept."""
        names = [column.name for column in self.data.schema.inputs.values()]
        reads: Mapping[str, str] = self.model.reads  # type: ignore[assignment]
        return [name for name in names if not now.is_features or name not in reads.values()]

    @contextmanager
    def replaying(self, batch: Batch) -> Iterator[Batch]:
        """The batch as a task sees it; where it brings what is kept, the forward pass inside is replayed."""
        if batch.kept is None:
            yield batch
            return
        assert self._replay is not None
        with self._replay.replaying(dict(zip(self._replay.cut.sites, batch.kept, strict=True))):
            yield batch.without_kept()

    def discard(self) -> None:
        """Remove everything that is open: some of it has changed on disk."""
        opened, replay = list(self.kept()), self._replay
        self.close()
        if replay is not None:
            for name in opened:
                self.room.discard(self._split(name), replay.cut)

    def close(self) -> None:
        """Let go of what is open, so that it can be evicted."""
        for stock in self._stocks.values():
            if stock is not None:
                stock.close()
        self._stocks = {}

    def _stock(self, name: str) -> CachedSplit | None:
        """What is kept of a split; None where nothing is."""
        if self._replay is None:
            return None
        if name not in self._stocks:
            self._stocks[name] = self._decide(name, self._replay)
        return self._stocks[name]

    def _decide(self, name: str, replay: Replay) -> CachedSplit | None:
        split, reason, stock = self._split(name), "", None
        if self._is_augmented(name) and not split.views:
            reason = "augmentation is random; reuse.augment=off or views=K would change that"
        else:
            try:
                stock = self.room.get(split, replay, self._need(name, 0), self._later(name, replay.cut))
            except NotCacheable as refused:
                reason = str(refused)
            except OSError as error:  # a full disk, say: the trial goes on without
                reason = f"the store cannot be used: {error}"
        self._tell(name, replay.cut, stock, reason)
        return stock

    def _tell(self, name: str, now: FrozenPrefix, stock: CachedSplit | None, reason: str) -> None:
        sites = ", ".join(str(site).removeprefix("backbone.") for site in now.sites)
        if stock is not None:
            facts = {"bytes": stock.bytes, "examples": len(stock.features[0]), "difference": stock.difference}
            self.room.around.note("reuse", split=name, sites=sites, state=stock.state, **facts)
            rounding = f", within {stock.difference:.1g}" if stock.difference else ""
            size = f"{stock.bytes / 1e6:,.1f} MB"
            self.room.around.say(f"reuse: {sites} of {name}, {size} {stock.state}{rounding}")
        elif reason:
            self.room.around.note("reuse", split=name, sites=sites, state="none", reason=reason)
            self.room.around.say(f"reuse: none of {name}: {reason}")

    def _damaged(self, name: str, damage: CorruptEntryError) -> None:
        """What is kept of a split is not what was written: compute it anew, or without the store where ranks differ."""
        self.room.around.say(f"reuse: {damage}; computing it again")
        assert self._replay is not None
        self.room.discard(self._split(name), self._replay.cut)
        stock = self._stocks.pop(name, None)
        if stock is not None:
            stock.close()
        if self.room.around.together.world > 1:
            self._stocks[name] = None

    # -- what will be read -----------------------------------------------------------------------------------------

    def _split(self, name: str) -> Split:
        return Split(name, self.options.views if self._is_augmented(name) else 0)

    def _is_augmented(self, name: str) -> bool:
        return name == "train" and self.data.config.augment != "none" and not self.is_plain

    def _need(self, name: str, number: int) -> Need:
        views = self._split(name).views or 1
        passes = self._stretches[number].passes.get(name, 0.0) * self.num_readers.get(name, 1)
        return Need(len(self.data.splits[name]) * views, passes / views)

    def _later(self, name: str, now: FrozenPrefix) -> list[tuple[FrozenPrefix, Need]]:
        """Cuts of later stretches whose constant part is untouched until then."""
        found: list[tuple[FrozenPrefix, Need]] = []
        touched = set(self._stretches[0].trainable)
        for number, stretch in enumerate(self._stretches[1:], start=1):
            then = self.cut(stretch.trainable) if self._is_worth_a_look(number) else ""
            if isinstance(then, FrozenPrefix) and then.sites != now.sites and not touched & then.tensors:
                found.append((then, self._need(name, number)))
            touched |= stretch.trainable
        return found


def store(options: Reuse) -> Store:
    """The store that the options name."""
    root = cache_root() / "features" if options.folder is None else Path(options.folder).expanduser()
    return Store(root, options.budget)
