"""Statistics of BatchNorm under averaged weights: torch's ``update_bn``, and which norms get them."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from tests.strategies.conftest import MakeNet, copies, moved, names
from tlx.data.order import Batches, Epochs
from tlx.strategies.freezing import freeze
from tlx.strategies.norm_statistics import norms_of, refresh


def everything(model: nn.Module) -> frozenset[str]:
    return frozenset(name for name, _ in model.named_parameters())


def shown(sizes: tuple[int, ...], *shape: int) -> list[Tensor]:
    """Batches of these sizes, each of another distribution."""
    draw = torch.Generator().manual_seed(0)
    return [i + (1 + i) * torch.randn(size, *shape, generator=draw) for i, size in enumerate(sizes)]


@pytest.mark.parametrize("sizes", [(8,), (8, 8, 8), (8, 8, 11), (2, 3, 16, 2)])
def test_they_are_those_of_torch(sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=3)
    other = copy.deepcopy(model)
    batches = shown(sizes, 3, 32, 32)
    refresh(model, norms_of(model, everything(model)), batches, model)
    update_bn(batches, other)
    assert moved(model, copies(other)) == set()  # bit for bit, weights too
    assert [m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)] == [
        m.momentum for m in other.modules() if isinstance(m, nn.BatchNorm2d)
    ]
    assert not model.training


def test_dropout_draws_nothing(net: MakeNet) -> None:
    """As when the network is tested: torch's would be other statistics at every call."""
    one, other, plain = net(), net(), net()
    for module in plain.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    batches = [{"image": images} for images in shown((16, 16), 8)]
    for model in (one, other):
        refresh(model, norms_of(model, everything(model)), batches, model)
    update_bn(batches, plain)
    assert moved(one, copies(other)) == set()
    assert moved(one, copies(plain)) == set()


def statistics(model: nn.Module, place: int) -> set[str]:
    return {f"backbone.blocks.{place}.norm.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")}


@pytest.mark.parametrize(
    ("averaged", "frozen_norm", "places"),
    [
        (slice(0, None), "eval", {0, 1, 2}),
        (slice(1, None), "eval", {1, 2}),  # the stem kept the statistics that it was pretrained with
        (slice(0, 1), "eval", {0}),  # deeper ones were frozen: what trained saw theirs as they were
        (slice(3, None), "eval", set()),
        (slice(3, None), "train", {0, 1, 2}),
    ],
)
def test_only_norms_that_followed_the_data_get_new_ones(
    net: MakeNet, averaged: slice, frozen_norm: str, places: set[int]
) -> None:
    model = net()
    freeze(model, names(model, slice(3, None)))  # the last phase may train the head alone
    asked = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    before = copies(model)
    norms = norms_of(model, names(model, averaged), frozen_norm)
    refresh(model, norms, [{"image": images} for images in shown((16, 16), 8)], model)
    assert moved(model, before) == set[str]().union(*(statistics(model, place) for place in places))
    assert {name: parameter.requires_grad for name, parameter in model.named_parameters()} == asked


@pytest.mark.parametrize(("accumulate", "world"), [(1, 2), (2, 1), (2, 2), (3, 2)])
def test_one_process_sees_the_parts_that_all_of_them_train_on(accumulate: int, world: int) -> None:
    """Statistics of parts of a batch depend on how it is cut, not on who holds which part."""
    batches = list(Epochs(50, 16, seed=3).batches(0, 3))
    together = {tuple(part) for part in Batches(batches, accumulate * world)}
    assert together == {tuple(part) for rank in range(world) for part in Batches(batches, accumulate, rank, world)}
