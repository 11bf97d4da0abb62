"""Penalties in closed form: distance from the start, small singular values; each with its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.strategies.conftest import MakeNet, batch, made, phase
from tlx.backbones.partition.stages import stages
from tlx.config.strategy_parts import Regulariser
from tlx.strategies.freezing import freeze
from tlx.strategies.regularisers import BSS, L2SP, Delta, penalty


def l2_sp(model: nn.Module, alpha: float, beta: float) -> L2SP:
    return L2SP(Regulariser(kind="l2_sp", alpha=alpha, beta=beta), model, stages(model))


def gradients(model: nn.Module, value: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    torch.autograd.backward(value)
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def shake(model: nn.Module, seed: int = 0) -> None:
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw, dtype=parameter.dtype))


def test_at_the_start_only_the_head_counts_and_gradients_are_finite(linears: nn.Module) -> None:
    term = l2_sp(linears, 0.1, 0.01)
    head = linears.get_submodule("head")
    expected = 0.01 / 2 * float(sum((p.detach() ** 2).sum() for p in head.parameters()))
    assert float(term.value().detach()) == pytest.approx(expected)
    found = gradients(linears, term.value())
    assert {name for name, gradient in found.items() if bool(gradient.any())} == {"head.weight", "head.bias"}


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.01), (2.0, 0.0), (0.0, 1.0)])
def test_value_and_gradient_of_l2_sp(linears: nn.Module, alpha: float, beta: float) -> None:
    model = linears.double()
    term = l2_sp(model, alpha, beta)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    shake(model)
    value = 0.0
    expected = {}
    for name, p in model.named_parameters():
        distance = p.detach() - (0 if name.startswith("head.") else start[name])
        weight = beta if name.startswith("head.") else alpha
        value += weight / 2 * float(np.sum(distance.numpy() ** 2))
        expected[name] = weight * distance
    assert float(term.value().detach()) == pytest.approx(value, rel=1e-12)
    found = gradients(model, term.value())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-12, atol=1e-12)


def test_frozen_tensors_are_not_counted(linears: nn.Module) -> None:
    term = l2_sp(linears, 2.0, 0.0)
    shake(linears)
    freeze(linears, frozenset({"backbone.blocks.1.weight", "head.weight", "head.bias"}))
    found = gradients(linears, term.value())
    assert set(found) == {"backbone.blocks.1.weight", "head.weight", "head.bias"}
    with torch.no_grad():
        first = float(term.value())
        linears.get_parameter("backbone.blocks.0.weight").add_(100.0)
        assert float(term.value()) == first


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_with_no_other_gradient_the_way_back_is_geometric(linears: nn.Module, steps: int) -> None:
    model, rate, alpha = linears.double(), 0.1, 0.5
    term = l2_sp(model, alpha, 0.0)
    start = [p.detach().clone() for p in model.get_submodule("backbone").parameters()]
    shake(model)
    away = [p.detach() - s for p, s in zip(model.get_submodule("backbone").parameters(), start, strict=True)]
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(term.value())
        optimizer.step()
    for parameter, begin, far in zip(model.get_submodule("backbone").parameters(), start, away, strict=True):
        torch.testing.assert_close(parameter.detach() - begin, (1 - rate * alpha) ** steps * far, rtol=1e-9, atol=1e-12)


class Mirror(nn.Module):
    """Features are the input itself."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = nn.Parameter(features)
        self.head = nn.Linear(features.shape[1], 2)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        out: Tensor = self.head(self.features)
        return out


@pytest.mark.parametrize("shape", [(12, 5), (5, 12), (6, 6)])
@pytest.mark.parametrize("smallest", [1, 2, 5, 99])
def test_bss_is_the_sum_of_the_smallest_squared_singular_values(shape: tuple[int, int], smallest: int) -> None:
    model = Mirror(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    term = BSS(Regulariser(kind="bss", alpha=0.3, smallest=smallest), model, [])
    with term.watching({}):
        model({})
    u, sigma, v = np.linalg.svd(model.features.detach().numpy().astype(np.float64), full_matrices=False)
    assert float(term.value().detach()) == pytest.approx(0.3 * float(np.sum(np.sort(sigma)[:smallest] ** 2)), rel=1e-4)
    chosen = np.argsort(sigma)[:smallest]
    expected = sum(0.3 * 2 * sigma[i] * np.outer(u[:, i], v[i]) for i in chosen)  # d sigma / d F = u v'
    np.testing.assert_allclose(gradients(model, term.value())["features"].numpy(), expected, rtol=1e-3, atol=1e-4)


def test_the_gradient_of_bss_reaches_the_first_stage(net: MakeNet) -> None:
    model = net()
    term = BSS(Regulariser(kind="bss", alpha=1.0), model, [])
    with term.watching(batch()):
        model(batch())
    found = gradients(model, term.value())
    assert bool(found["backbone.blocks.0.linear.weight"].any())
    assert not {"head.weight", "head.bias"} & set(found)


def test_only_a_watched_forward_counts(net: MakeNet) -> None:
    model = net()
    term = BSS(Regulariser(kind="bss", alpha=1.0), model, [])
    with pytest.raises(RuntimeError, match="no forward pass"):
        term.value()
    with term.watching(batch()):
        model(batch())
    value = float(term.value().detach())
    model(batch(1))  # validation, say
    assert float(term.value().detach()) == value


@pytest.mark.parametrize(("kind", "expected"), [("l2_sp", L2SP), ("bss", BSS), ("delta", Delta), (None, None)])
def test_a_strategy_gets_the_penalty_it_asks_for(net: MakeNet, kind: str | None, expected: Any) -> None:
    options = Regulariser(kind=kind, alpha=0.7, smallest=3) if kind else None
    model = net()
    found = penalty(made(phase("all"), regulariser=options), model, stages(model))
    assert type(found) is (expected or type(None))
    assert getattr(found, "alpha", 0.7) == 0.7
    assert getattr(found, "smallest", 3) == 3
