"""Nothing is read of a network whose replay is not the network: the proof finds what the dry run cannot see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.feature_cache.networks import network
from tests.feature_cache.rooms import OFTEN, ragged, stocked, stockroom
from tests.feature_cache.test_cut_refused import frozen_but
from tests.feature_cache.toys import WIDTH, Aliased, Between, Plain, Positioned, Skip, Stashed, toy
from tlx.columns.input_spec import TextSpec
from tlx.columns.text_reader import Tokenised
from tlx.data.module import Data
from tlx.feature_cache.cut import NotCacheable, cut
from tlx.feature_cache.manager import Split
from tlx.feature_cache.replay import Replay


class Careless(nn.Module):
    """A text encoder whose last layer looks at neighbours, padding or not."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Embedding(300, WIDTH)
        self.last = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.last(self.first(input_ids).transpose(1, 2)).transpose(1, 2)
        mean: Tensor = (states * attention_mask[:, :, None]).sum(1) / attention_mask.sum(1, keepdim=True)
        return mean


def text_spec() -> TextSpec:
    spec = network("bert").takes["text"]
    assert isinstance(spec, TextSpec)
    return spec


def tokens(data: Data) -> Sequence[Sequence[int]]:
    """Of the training texts."""
    reader = data.examples["train"].readers["text"]
    assert isinstance(reader, Tokenised)
    return reader.tokens


@pytest.mark.parametrize("kind", [Plain, Positioned, lambda: Positioned(in_place=True)])
def test_what_can_be_replayed_is_exact(folder: Path, kind: Callable[[], nn.Module]) -> None:
    model = toy(kind())
    stock = stocked(model, frozen_but(model, "backbone.last", "head"), folder)
    assert (stock.state, stock.difference) == ("filled", 0.0)
    stock.close()


def test_narrow_layers_are_replayed_too(folder: Path) -> None:
    """CPU kernels may give a row other bits in another place of the batch, where a layer is this narrow."""
    bottleneck = nn.Sequential(nn.Linear(WIDTH, 6), nn.Linear(6, 10), nn.Linear(10, WIDTH))
    model = toy(Between(nn.Identity()))
    model.backbone.last = bottleneck
    names = frozen_but(model, "backbone.last.0", "backbone.last.1", "backbone.last.2", "head")
    stock = stocked(model, names, folder)
    assert stock.state == "filled"
    stock.close()


@pytest.mark.parametrize("kind", [Skip, Aliased, lambda: Stashed(own=True)])
def test_what_goes_past_the_modules_is_found(folder: Path, kind: Callable[[], nn.Module]) -> None:
    model = toy(kind())
    with pytest.raises(NotCacheable, match="changes the network's output"):
        stocked(model, frozen_but(model, "backbone.last", "head"), folder)


def test_a_refusal_leaves_the_modes_alone(folder: Path) -> None:
    model = toy(Skip())
    names = frozen_but(model, "backbone.last", "head")
    modes = [module.training for module in model.modules()]
    with pytest.raises(NotCacheable):
        stocked(model, names, folder)
    assert [module.training for module in model.modules()] == modes
    assert True in modes


def test_a_trained_part_that_reads_padding_is_found(folder: Path) -> None:
    """How far texts are padded depends on the batch, and padding is not kept."""
    model = toy(Careless(), spec=text_spec())
    names = frozen_but(model, "backbone.last", "head")
    assert len({len(ids) for ids in tokens(ragged(model, folder))}) > 3
    with pytest.raises(NotCacheable, match=r"changes the network's output|padding"):
        stocked(model, names, folder)


def test_what_is_kept_is_compared_with_what_is_computed_now(folder: Path) -> None:
    """As if the address had forgotten something that the numbers depend on."""
    model = toy(Plain())
    names = frozen_but(model, "backbone.last", "head")
    room = stockroom(model, folder)
    replay = Replay(model, cut(model, names))
    stock = room.get(Split("val"), replay, OFTEN)
    assert stock is not None
    assert stock.state == "filled"
    stock.close()
    model.get_submodule("backbone.first").register_forward_hook(lambda m, args, out: out * 1.01)
    with pytest.raises(NotCacheable, match=r"backbone\.middle differs by"):
        room.get(Split("val"), Replay(model, replay.cut), OFTEN)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_texts_come_back_within_rounding(folder: Path, name: str) -> None:
    model = network(name)
    path = "backbone.encoder.encoder.layer.2" if name == "bert" else "backbone.encoder.h.2"
    trainable = frozenset(n for n, _ in model.named_parameters() if n.startswith((path, "head")))
    model.eval()
    stock = stocked(model, trainable, folder, batch=8)
    assert stock.difference <= 2e-6
    texts = tokens(ragged(model, folder))
    (states,) = stock.features[0].take(torch.arange(len(texts)).numpy())
    assert states.shape == (len(texts), max(map(len, texts)), 32)
    for row, ids in zip(states, texts, strict=True):
        assert bool(row[: len(ids)].abs().sum(1).all())
        assert not row[len(ids) :].any()
    stock.close()
