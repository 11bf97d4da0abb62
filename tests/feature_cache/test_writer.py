"""A pass over a split: every process its own whole batches, and nothing left behind when it ends early."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.feature_cache.rooms import OFTEN, digits, stockroom
from tests.feature_cache.test_cut_refused import frozen_but
from tests.feature_cache.toys import Plain, toy
from tlx.feature_cache import entry
from tlx.feature_cache.cut import cut
from tlx.feature_cache.manager import CachedSplit, CacheManager, Split
from tlx.feature_cache.process_group import ProcessGroup
from tlx.feature_cache.replay import Replay
from tlx.feature_cache.writer import WritePass


def over(rank: int = 0, world: int = 1, count: int = 20, batch: int = 8) -> WritePass:
    model = toy(Plain())
    data = digits(model)
    items = [(0, i) for i in range(count)]
    together = ProcessGroup(rank, world)
    return WritePass(model, data, "train", items, batch, torch.device("cpu"), nullcontext, together)


@pytest.mark.parametrize("world", [1, 2, 3, 4])
@pytest.mark.parametrize("batch", [4, 8, 64])
def test_shares_are_disjoint_and_complete_and_of_whole_batches(world: int, batch: int) -> None:
    shares = [over(rank, world, 20, batch).share() for rank in range(world)]
    assert [place for start, stop in shares for place in range(start, stop)] == list(range(20))
    assert all(start % batch == 0 or start == stop for start, stop in shares)


def test_the_last_batch_is_as_large_as_the_others() -> None:
    one = over()
    for at, (batch, count, lengths) in zip((0, 8, 16), one.batches(0, 20), strict=True):
        assert (len(batch.inputs["image"]), count, lengths) == (8, min(8, 20 - at), None)
        images = torch.cat([one.data.examples["train"][(0, i % 20)].inputs["image"] for i in range(at, at + count)])
        assert torch.equal(batch.inputs["image"][:count], images)


def prepared(folder: Path) -> tuple[CacheManager, Callable[[], CachedSplit | None]]:
    model = toy(Plain())
    room = stockroom(model, folder, batch=8)
    replay = Replay(model, cut(model, frozen_but(model, "backbone.last", "head")))
    return room, lambda: room.get(Split("train"), replay, OFTEN)


def test_what_is_kept_is_what_the_layer_gives(folder: Path) -> None:
    room, get = prepared(folder)
    stock = get()
    assert stock is not None
    data = room.data
    images = torch.cat([data.examples["train"][(0, i)].inputs["image"] for i in range(20)])
    backbone: Any = room.model.backbone
    expected = backbone.middle(backbone.first(images.flatten(1)).tanh())
    (taken,) = stock.features[0].take(np.array([19, 3, 0]))
    torch.testing.assert_close(taken, expected[[19, 3, 0]].detach(), rtol=1e-5, atol=1e-6)
    assert stock.bytes == 256 + 20 * 64 * 4
    stock.close()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_whatever_ends_a_pass_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, at: int
) -> None:
    room, get = prepared(folder)
    append, counts = entry.Writer.append, [0]

    def failing(self: entry.Writer, *args: Any) -> None:
        counts[0] += 1
        if counts[0] == at:
            raise error
        append(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(entry.Writer, "append", failing)
        with pytest.raises(type(error)):
            get()
    assert room.store.entries() == []
    assert list((room.store.root / ".filling").iterdir()) == []
    stock = get()
    assert stock is not None
    assert stock.state == "filled"
    stock.close()


def test_a_disk_that_refuses_to_sync_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, get = prepared(folder)

    def full(*_: Any) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="quota"):
            get()
    assert room.store.entries() == []
    assert [path for path in room.store.root.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
