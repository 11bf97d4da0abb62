"""DELTA's distance of feature maps: zero at the start, then as computed by hand; a teacher that never changes."""

from __future__ import annotations

import re

import pytest
import timm
import torch
from torch import Tensor, nn

from tests.backbones import bare
from tests.strategies.conftest import MakeNet, batch, copies, moved
from tests.strategies.test_regularisers import gradients, shake
from tlx.backbones.partition.stages import merge, stages
from tlx.config.strategy_parts import Regulariser
from tlx.strategies.freezing import freeze
from tlx.strategies.regularisers import BSS, Delta, Penalty

ALPHA = 0.3


def inputs(size: int = 6) -> dict[str, Tensor]:
    return {"image": torch.randn(size, 4, generator=torch.Generator().manual_seed(3))}


def watched(term: Penalty, model: nn.Module, data: dict[str, Tensor]) -> Tensor:
    with term.watching(data):
        model(data)
    return term.value()


def maps(weights: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """What each of the three linear layers puts out."""
    out = []
    for i in range(3):
        x = x @ weights[f"backbone.blocks.{i}.weight"].T + weights[f"backbone.blocks.{i}.bias"]
        out.append(x)
    return out


def test_at_the_start_it_is_zero(linears: nn.Module) -> None:
    assert (
        float(
            watched(Delta(Regulariser(kind="delta", alpha=ALPHA), linears, stages(linears)), linears, inputs()).detach()
        )
        == 0
    )


@pytest.mark.parametrize(("levels", "blocks"), [(None, (1, 2)), (1, (2,)), (2, (2,))])
def test_it_is_what_one_computes_by_hand(linears: nn.Module, levels: int | None, blocks: tuple[int, ...]) -> None:
    """The stem is no block; of merged stages the last block's map counts."""
    cut = stages(linears) if levels is None else merge(stages(linears), levels)
    term = Delta(Regulariser(kind="delta", alpha=ALPHA), linears, cut)
    old = copies(linears)
    shake(linears)
    new = {name: p.detach().clone().requires_grad_() for name, p in linears.named_parameters()}
    x = inputs()["image"]
    pairs = list(zip(maps(new, x), maps(old, x), strict=True))
    expected = ALPHA / 2 * sum(((pairs[i][0] - pairs[i][1]) ** 2).sum() / len(x) for i in blocks)
    assert isinstance(expected, Tensor)
    found = watched(term, linears, inputs())
    torch.testing.assert_close(found, expected)
    torch.autograd.backward(expected)
    for name, gradient in gradients(linears, found).items():
        torch.testing.assert_close(gradient, new[name].grad)


def test_the_size_of_a_batch_does_not_matter(linears: nn.Module) -> None:
    term = Delta(Regulariser(kind="delta", alpha=ALPHA), linears, stages(linears))
    shake(linears)
    twice = {name: torch.cat([value, value]) for name, value in inputs().items()}
    torch.testing.assert_close(watched(term, linears, twice), watched(term, linears, inputs()))


def test_the_teacher_never_trains(net: MakeNet) -> None:
    model = net()
    term = Delta(Regulariser(kind="delta", alpha=ALPHA), model, stages(model))
    before = copies(term.teacher)
    held = {id(parameter) for parameter in model.parameters()}
    assert not [p for p in term.teacher.parameters() if p.requires_grad or id(p) in held]
    freeze(model, frozenset(name for name, _ in model.named_parameters()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    for step in range(3):
        optimizer.zero_grad()
        torch.autograd.backward(watched(term, model, batch(step)))
        optimizer.step()
    assert moved(term.teacher, before) == set()  # statistics of BatchNorm included
    assert not any(module.training for module in term.teacher.modules())
    assert model.training


def hooks(module: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


@pytest.mark.parametrize("kind", [Delta, BSS])
def test_watching_leaves_no_hooks_behind(linears: nn.Module, kind: type) -> None:
    term: Penalty
    term = (
        Delta(Regulariser(kind="delta", alpha=ALPHA), linears, stages(linears))
        if kind is Delta
        else BSS(Regulariser(kind="bss", alpha=ALPHA), linears, stages(linears))
    )
    watched(term, linears, inputs())
    assert hooks(linears) == 0
    with pytest.raises(RuntimeError, match="interrupted"), term.watching(inputs()):
        raise RuntimeError("interrupted")
    assert hooks(linears) == 0
    if isinstance(term, Delta):
        assert hooks(term.teacher) == 0


def block_maps(model: nn.Module, data: dict[str, Tensor]) -> list[Tensor]:
    """What every block of a ConvNeXt puts out."""
    seen: list[Tensor] = []
    blocks = [module for name, module in model.named_modules() if re.search(r"blocks\.\d+$", name)]
    handles = [block.register_forward_hook(lambda module, given, out: seen.append(out)) for block in blocks]
    with torch.no_grad():
        model(data)
    for handle in handles:
        handle.remove()
    return seen


def test_a_stage_that_begins_with_a_downsampling_is_compared_at_its_own_block() -> None:
    """ConvNeXt's ``stages.1`` is the downsampling and the first block. The second is a stage of its own."""
    torch.manual_seed(0)
    model = bare.network(timm.create_model("test_convnext", num_classes=0), 64, 3).eval()
    term = Delta(Regulariser(kind="delta", alpha=ALPHA), model, stages(model))
    data = {"image": torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))}
    old = block_maps(model, data)
    with torch.no_grad():
        model.get_parameter("backbone.stages.1.blocks.0.gamma").fill_(1.0)  # from 1e-6: now the block counts
    new = block_maps(model, data)
    assert len(new) == 9
    expected = ALPHA / 2 * sum(float(((a - b) ** 2).sum()) / 2 for a, b in zip(new, old, strict=True))
    assert expected > 0.1
    assert float(watched(term, model, data).detach()) == pytest.approx(expected, rel=1e-4)
