"""Two processes of one trial and one store: they decide alike, whoever of them has the work or the trouble."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributed

from tests.feature_cache.rooms import OFTEN, stockroom
from tests.feature_cache.test_cut_refused import frozen_but
from tests.feature_cache.test_processes import Process, kill, start
from tests.feature_cache.toys import Plain, toy
from tlx.feature_cache.context import CacheContext
from tlx.feature_cache.cut import NotCacheable, cut
from tlx.feature_cache.manager import Split
from tlx.feature_cache.process_group import ProcessGroup
from tlx.feature_cache.replay import Replay


def get(say: Callable[[str], None], folder: Path, rank: int, batch: int) -> None:
    """Get the stock of 20 training examples as one of two processes."""
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    model = toy(Plain())
    room = stockroom(model, folder, batch)
    room.around = CacheContext(together=ProcessGroup(rank, 2))
    replay = Replay(model, cut(model, frozen_but(model, "backbone.last", "head")))
    try:
        stock = room.get(Split("train"), replay, OFTEN)
        assert stock is not None
        (taken,) = stock.features[0].take(np.arange(20))
        say(f"{stock.state} {len(stock.features[0].meta.parts)} {float(taken.double().sum()):.6f}")
    except (NotCacheable, OSError) as error:
        say(type(error).__name__)


def answers(folder: Path, batch: int) -> list[str]:
    """What both say, within some seconds."""
    both: list[Process] = [start(get, folder, rank, batch) for rank in (0, 1)]
    try:
        for process in both:
            assert process[1].poll(20), "it waits for the other, or is gone"
        return [str(process[1].recv()) for process in both]
    finally:
        for process in both:
            kill(process)


def expected() -> float:
    from tests.feature_cache.rooms import digits

    model = toy(Plain())
    examples = digits(model).examples["train"]
    images = torch.cat([examples[(0, i)].inputs["image"] for i in range(20)])
    backbone = model.backbone
    assert isinstance(backbone, Plain)
    return float(backbone.middle(backbone.first(images.flatten(1)).tanh()).double().sum())


@pytest.mark.parametrize(("batch", "parts"), [(4, 2), (16, 2), (64, 1)])
def test_both_fill_their_share_and_read_everything(folder: Path, batch: int, parts: int) -> None:
    """With one batch for both there is work for one of them alone."""
    one, two = answers(folder, batch)
    assert one == two
    state, count, total = one.split()
    assert (state, int(count)) == ("filled", parts)
    assert float(total) == pytest.approx(expected(), abs=1e-3)


def test_a_store_that_one_cannot_write_is_refused_to_both(folder: Path) -> None:
    (folder / "store").write_text("a file")
    one, two = answers(folder, 4)
    assert one == two == "NotCacheable"
