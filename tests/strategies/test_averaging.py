"""Running means against closed forms: the exponential one with its warm-up, the plain one, and changing places."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from tests.strategies.conftest import MakeNet
from tlx.strategies.averaging import Running

CPU = torch.device("cpu")


def walk(steps: int, size: int = 5) -> Tensor:
    """Weights over time [steps, size]."""
    return torch.randn(steps, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def point(size: int = 5) -> nn.Module:
    return nn.Linear(size, 1, bias=False, dtype=torch.float64)


def follow(running: Running, values: Tensor) -> Tensor:
    """The mean after a model has been at each of the values in turn."""
    model = point(values.shape[1])
    for value in values:
        with torch.no_grad():
            model.get_parameter("weight").copy_(value)
        running.update(model)
    return running.mean["weight"][0]


def exponential(values: Tensor, decay: float) -> Tensor:
    """Each value with its weight: what it was given, times what every later update kept."""
    kept = [min(decay, (1 + t) / (10 + t)) for t in range(len(values))]
    weights = []
    for t in range(len(values)):
        given = 1.0 if t == 0 else 1 - kept[t]  # the first value is where the mean begins
        for later in kept[t + 1 :]:
            given *= later
        weights.append(given)
    assert sum(weights) == pytest.approx(1)
    return (torch.tensor(weights, dtype=torch.float64)[:, None] * values).sum(0)


@pytest.mark.parametrize("decay", [0.0, 0.05, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("steps", [1, 2, 10, 300])
def test_an_exponential_mean_is_its_closed_form(decay: float, steps: int) -> None:
    values = walk(steps)
    torch.testing.assert_close(follow(Running(decay), values), exponential(values, decay), rtol=1e-12, atol=1e-12)


def test_without_the_warm_up_it_would_be_the_geometric_series() -> None:
    """With so small a decay the warm-up, which begins at 1/10, never binds."""
    values, decay = walk(30), 0.1
    powers = [decay ** (29 - t) * (1 - decay if t else 1) for t in range(30)]
    expected = (torch.tensor(powers, dtype=torch.float64)[:, None] * values).sum(0)
    torch.testing.assert_close(follow(Running(decay), values), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 50])
def test_a_plain_mean_is_the_mean(steps: int) -> None:
    values = walk(steps)
    torch.testing.assert_close(follow(Running(None), values), values.mean(0), rtol=1e-12, atol=1e-13)


def followed_by(averaged: nn.Module, update: Callable[[nn.Module], None], values: Tensor, weight: str) -> Tensor:
    """What another library's average, begun at the first value, is after a model has been at each of the others."""
    model = point(values.shape[1])
    for value in values[1:]:
        with torch.no_grad():
            model.get_parameter("weight").copy_(value)
        update(model)
    return averaged.get_parameter(weight).detach()[0]


def begun(values: Tensor) -> nn.Module:
    model = point(values.shape[1])
    with torch.no_grad():
        model.get_parameter("weight").copy_(values[0])
    return model


def test_a_constant_decay_is_timms() -> None:
    """From 0.1 on downwards: there the warm-up, which is not timm's, is over before it begins."""
    values = walk(40)
    theirs = ModelEmaV3(begun(values), decay=0.1)
    found = followed_by(theirs, theirs.update, values, "module.weight")
    torch.testing.assert_close(follow(Running(0.1), values), found, rtol=1e-12, atol=1e-13)


def test_a_plain_mean_is_torchs() -> None:
    values = walk(40)
    theirs = AveragedModel(begun(values))
    theirs.update_parameters(begun(values))  # its first update takes the weights as they are
    found = followed_by(theirs, theirs.update_parameters, values, "module.weight")
    torch.testing.assert_close(follow(Running(None), values), found, rtol=1e-12, atol=1e-13)


def test_the_mean_of_what_stands_still_is_exactly_it() -> None:
    for decay in (None, 0.999):
        values = walk(1).expand(40, -1)
        assert torch.equal(follow(Running(decay), values), values[0])


def test_only_what_trains_is_averaged(net: MakeNet) -> None:
    model = net().requires_grad_(False)
    model.get_submodule("head").requires_grad_(True)
    running = Running(0.9)
    running.update(model)
    assert set(running.mean) == {"head.weight", "head.bias"}


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.early = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.late = nn.Parameter(torch.zeros(1, dtype=torch.float64), requires_grad=False)

    def at(self, value: float) -> Two:
        with torch.no_grad():
            self.early.fill_(value)
            self.late.fill_(value if self.late.requires_grad else 0.0)
        return self


def joined(running: Running) -> tuple[float, float]:
    """Both means at the end: one tensor trains through values 1 to 6, the other from value 4 on."""
    model = Two()
    for value in range(1, 7):
        model.late.requires_grad_(value >= 4)
        running.update(model.at(float(value)))
    return float(running.mean["early"]), float(running.mean["late"])


def test_a_tensor_that_joins_later_begins_at_its_own_value() -> None:
    early, late = joined(Running(0.2))
    expected = 4.0
    for update, value in enumerate((5.0, 6.0), start=1):  # its own updates: so the warm-up is its own as well
        decay = min(0.2, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
    assert late == pytest.approx(expected)
    assert early == pytest.approx(float(exponential(torch.arange(1.0, 7.0, dtype=torch.float64)[:, None], 0.2)))


def test_in_a_plain_mean_all_values_of_a_tensor_that_joins_later_weigh_the_same() -> None:
    early, late = joined(Running(None))
    assert early == pytest.approx((1 + 2 + 3 + 4 + 5 + 6) / 6)
    assert late == pytest.approx((4 + 5 + 6) / 3)


@pytest.mark.parametrize("decay", [None, 0.9])
def test_a_mean_saved_and_loaded_goes_on_as_if_nothing_happened(decay: float | None) -> None:
    values = walk(20)
    through, first, second = Running(decay), Running(decay), Running(decay)
    follow(first, values[:9])
    second.load(first.state(), CPU)
    follow(first, values[9:])  # what was saved is a copy
    assert torch.equal(follow(second, values[9:]), follow(through, values))


def test_the_mean_is_in_the_precision_of_the_weights(net: MakeNet) -> None:
    model = net().to(torch.bfloat16)
    running = Running(0.9)
    running.update(model)
    assert {tensor.dtype for tensor in running.mean.values()} == {torch.bfloat16}
