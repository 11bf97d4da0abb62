"""The freeze audit passes honest training, and sees whatever is frozen and moved or should learn and stood still."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.backbones import bare
from tests.strategies.conftest import Backbone, MakeNet, names, train
from tlx.strategies.freezing import AuditError, audit, checksums, freeze, set_modes


def nudge(tensor: Tensor, by: float = 0.25) -> None:
    with torch.no_grad():
        tensor.add_(by)


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
    model = bare.network(Backbone(bias=True), 64, 3)
    for block in model.get_submodule("backbone.blocks").children():
        nn.init.constant_(block.get_parameter("linear.bias"), 0.5)
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


def test_overflow_is_named(net: MakeNet) -> None:
    """In half precision a step whose gradients overflow is left out; when all were, that is the reason."""
    model = net()
    freeze(model, names(model, slice(None)))
    before = checksums(model)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, float("inf"))
    with pytest.raises(AuditError, match="overflowed in every step"):
        audit(model, before)


class Gated(nn.Module):
    """A residual branch that ends in a factor of zero."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 8), nn.BatchNorm1d(8))
        nn.init.zeros_(self.branch[-1].get_parameter("weight"))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.branch(x)
        return out


def _gated(steps: int, frozen: tuple[str, ...] = (), unused: bool = False) -> tuple[nn.Module, dict[str, int]]:
    """A network of such branches after some steps, and its checksums before."""
    torch.manual_seed(0)
    model = nn.Sequential(Gated(), Gated(), nn.Linear(8, 2))
    if unused:
        model.add_module("aside", nn.Linear(8, 8))
    freeze(model, frozenset(name for name, _ in model.named_parameters() if not name.endswith(frozen or ("?",))))
    before = checksums(model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    x = torch.randn(16, 8)
    for _ in range(steps):
        optimizer.zero_grad()
        out = model[2](model[1](model[0](x)))
        if unused:
            out = out + 0 * model.get_submodule("aside")(x).sum()
        out.square().sum().backward()
        optimizer.step()
    return model, before


def test_what_lies_behind_a_zero_is_told_and_no_error() -> None:
    model, before = _gated(1)
    waiting = audit(model, before)
    assert {name.rpartition("branch.")[0] for name in waiting} == {"0.", "1."}
    assert "0.branch.0.weight" in waiting
    assert not any(name.startswith("2.") or name.endswith("branch.3.weight") for name in waiting)
    model, before = _gated(3)
    assert audit(model, before) == []


def test_a_zero_that_stays_and_a_tensor_beside_the_branch_are_errors() -> None:
    model, before = _gated(1, frozen=("branch.3.weight",))
    with pytest.raises(AuditError, match="did not move"):  # it would never let anything through
        audit(model, before)
    model, before = _gated(1, unused=True)
    with pytest.raises(AuditError, match=r"2 of \d+ trained tensors did not move, first aside"):
        audit(model, before)
