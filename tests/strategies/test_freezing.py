"""Frozen means frozen: no gradients, eval mode, statistics that hold still and no dropout."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import timm
import torch
from torch import nn

from tests.backbones import bare
from tests.strategies.conftest import MakeNet, batch, names, train
from tlx.strategies.freezing import audit, checksums, freeze, set_modes


def test_exactly_the_chosen_learn_and_nothing_keeps_a_gradient(net: MakeNet) -> None:
    model = net()
    model(batch()).sum().backward()
    chosen = names(model, slice(-2, None))
    freeze(model, chosen)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == chosen
    assert {name for name, p in model.named_parameters() if p.grad is not None} == chosen


@pytest.mark.parametrize(("learning", "expected"), [
    (slice(-1, None), [False, False, False]),
    (slice(-2, None), [False, False, True]),
    (slice(0, 1), [True, False, False]),
    (slice(None), [True, True, True]),
])  # fmt: skip
def test_frozen_stages_are_in_eval_mode(net: MakeNet, learning: slice, expected: Sequence[bool]) -> None:
    model = net().eval()
    freeze(model, names(model, learning))
    modes = [{part.training for part in block.modules()} for block in model.backbone.blocks]  # type: ignore[union-attr]
    assert modes == [{mode} for mode in expected]  # dropout, which has no parameters, included
    model.train()  # as Lightning does at each epoch
    set_modes(model)
    assert modes == [{part.training for part in block.modules()} for block in model.backbone.blocks]  # type: ignore[union-attr]


def test_a_frozen_backbone_computes_as_in_evaluation_and_keeps_its_statistics(net: MakeNet) -> None:
    model = net()
    freeze(model, names(model, slice(-1, None)))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    first, second = model.backbone(batch()["image"]), model.backbone(batch()["image"])  # type: ignore[operator]
    assert torch.equal(first, second)
    assert torch.equal(first, net().eval().backbone(batch()["image"]))  # type: ignore[operator]
    train(model)
    assert [name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name])] == []


def test_norms_follow_the_data_when_asked(net: MakeNet) -> None:
    model = net()
    freeze(model, names(model, slice(-1, None)), frozen_norm="train")
    before = checksums(model)
    train(model)
    after = checksums(model)
    moved = {name for name in after if after[name] != before[name]}
    statistics = {name for name, _ in model.named_buffers()}
    assert moved == statistics | {"head.weight", "head.bias"}
    audit(model, before, frozen_norm="train")
    assert not model.get_submodule("backbone.blocks.0.drop").training


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit", "test_convnext"])
@pytest.mark.parametrize("frozen_norm", ["eval", "train"])
def test_the_norms_of_every_architecture(name: str, frozen_norm: str) -> None:
    model = bare.network(timm.create_model(name, num_classes=0), 8, 3)
    freeze(model, frozenset({"head.weight", "head.bias"}), frozen_norm)
    norms = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
    assert {m.training for m in model.backbone.modules() if isinstance(m, norms)} == {frozen_norm == "train"}
    assert not any(m.training for m in model.backbone.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.Dropout)))
