"""Frozen means frozen: modes, statistics and dropout; and an audit that sees whatever moved or did not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import timm
import torch
from torch import Tensor, nn

from tests.strategies.conftest import Backbone, MakeNet
from tlx.backbones.stages import stages
from tlx.strategies.freezing import AuditError, audit, checksums, freeze, set_modes
from tlx.tasks.classification import Classifier


def batch(seed: int = 0) -> dict[str, Tensor]:
    return {"x": torch.randn(32, 8, generator=torch.Generator().manual_seed(seed))}


def names(model: nn.Module, part: slice) -> frozenset[str]:
    return frozenset(name for stage in stages(model)[part] for name in stage.names)


def train(model: nn.Module, steps: int = 2, lr: float = 0.1, decay: float = 0.1, without: str = "") -> None:
    """Training of whatever requires a gradient, honest unless the optimizer goes ``without`` a parameter."""
    held = [parameter for name, parameter in model.named_parameters() if name != without]
    optimizer = torch.optim.SGD(held, lr=lr, momentum=0.9, weight_decay=decay)
    for step in range(steps):
        optimizer.zero_grad()
        data = batch(step)
        loss: Tensor = nn.functional.cross_entropy(model(data), data["x"][:, :3].argmax(1))
        loss.backward()
        optimizer.step()


def nudge(tensor: Tensor, by: float = 0.25) -> None:
    with torch.no_grad():
        tensor.add_(by)


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
    first, second = model.backbone(batch()["x"]), model.backbone(batch()["x"])  # type: ignore[operator]
    assert torch.equal(first, second)
    assert torch.equal(first, net().eval().backbone(batch()["x"]))  # type: ignore[operator]
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
    model = Classifier(timm.create_model(name, num_classes=0), 8, 3)
    freeze(model, frozenset({"head.weight", "head.bias"}), frozen_norm)
    norms = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
    assert {m.training for m in model.backbone.modules() if isinstance(m, norms)} == {frozen_norm == "train"}
    assert not any(m.training for m in model.backbone.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.Dropout)))


@pytest.mark.parametrize("learning", [slice(-1, None), slice(-2, None), slice(None)])
def test_honest_training_passes(net: MakeNet, learning: slice) -> None:
    model = net()
    freeze(model, names(model, learning))
    before = checksums(model)
    train(model)
    audit(model, before)


def test_a_gradient_too_small_to_move_a_bias_is_honest() -> None:
    """As with a convolution's bias before BatchNorm (vgg16_bn), or the key bias of attention (BERT)."""
    torch.manual_seed(0)
    model = Classifier(Backbone(bias=True), 64, 3)
    for block in model.backbone.get_submodule("blocks"):  # type: ignore[union-attr,operator]
        nn.init.constant_(block.linear.bias, 0.5)
    freeze(model, names(model, slice(None)))
    before = checksums(model)
    train(model, lr=1e-3, decay=0.0)  # biases are never decayed
    assert all(parameter.grad is not None for parameter in model.parameters())
    audit(model, before)


@pytest.mark.parametrize("culprit", [
    "backbone.blocks.1.linear.weight",
    "backbone.blocks.1.norm.weight",  # 64 ones become 64 other equal numbers
    "backbone.blocks.1.norm.bias",
    "backbone.blocks.1.norm.running_mean",
    "backbone.blocks.0.norm.running_var",
    "backbone.blocks.0.norm.num_batches_tracked",
])  # fmt: skip
def test_what_is_frozen_and_moves_is_named(net: MakeNet, culprit: str) -> None:
    model = net()
    freeze(model, names(model, slice(-2, None)))
    before = checksums(model)
    train(model)
    nudge(model.state_dict()[culprit], 1)
    with pytest.raises(AuditError, match=f"1 frozen tensors moved, first {culprit}"):
        audit(model, before)


def test_statistics_that_follow_the_data_under_a_frozen_flag_are_seen(net: MakeNet) -> None:
    model = net()
    freeze(model, names(model, slice(-1, None)))
    before = checksums(model)
    model.train()  # the classic mistake: no gradient, but not in eval mode
    train(model)
    set_modes(model)
    with pytest.raises(AuditError, match="9 frozen tensors moved"):
        audit(model, before)


STILL = pytest.mark.parametrize("culprit", ["backbone.blocks.2.linear.weight", "backbone.blocks.2.norm.weight", "head.bias"])  # fmt: skip  # noqa: E501


@STILL
@pytest.mark.parametrize("gradient", [None, 0.0])
def test_what_should_learn_and_gets_no_gradient_is_named(net: MakeNet, culprit: str, gradient: float | None) -> None:
    model = net()
    freeze(model, names(model, slice(-2, None)))
    before = checksums(model)
    parameter = model.get_parameter(culprit)
    start = parameter.detach().clone()
    train(model)
    with torch.no_grad():
        parameter.copy_(start)
    parameter.grad = None if gradient is None else torch.full_like(parameter, gradient)
    with pytest.raises(AuditError, match=f"1 of 5 trained tensors did not move, first {culprit}"):
        audit(model, before)


@STILL
def test_what_the_optimizer_forgot_is_named(net: MakeNet, culprit: str) -> None:
    model = net()
    freeze(model, names(model, slice(-2, None)))
    before = checksums(model)
    start = model.get_parameter(culprit).detach().clone()
    train(model, without=culprit)
    gradient = model.get_parameter(culprit).grad
    assert gradient is not None
    assert gradient.abs().max() > 1e-3  # far from too small to move it
    assert torch.equal(model.get_parameter(culprit), start)
    with pytest.raises(AuditError, match=f"1 of 5 trained tensors did not move, first {culprit}"):
        audit(model, before)


def test_equal_values_that_all_change_alike_have_moved(net: MakeNet) -> None:
    model = net()
    weight = model.get_parameter("backbone.blocks.2.norm.weight")
    assert set(weight.tolist()) == {1.0}
    assert weight.numel() == 64
    freeze(model, frozenset({"backbone.blocks.2.norm.weight"}))
    before = checksums(model)
    nudge(weight)
    audit(model, before)
    freeze(model, names(model, slice(-1, None)))
    with pytest.raises(AuditError, match="1 frozen tensors moved"):
        audit(model, before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions_are_audited(net: MakeNet, dtype: torch.dtype) -> None:
    model = net().to(dtype)
    freeze(model, frozenset({"head.bias"}))
    before = checksums(model)
    nudge(model.get_parameter("head.bias"))
    audit(model, before)
    nudge(model.get_parameter("head.weight"))
    with pytest.raises(AuditError, match=r"head\.weight"):
        audit(model, before)
