"""Any optimizer of torch or timm leaves frozen tensors alone, bit by bit; one that would not is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from tests.strategies.conftest import MakeNet, batches, copies, learn, moved, names, with_optimizer
from tlx.backbones.partition.stages import stages
from tlx.composition import optimizer_names
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.strategy import Optimizer as Options
from tlx.config.strategy import Strategy
from tlx.strategies import freezing, optimizers
from tlx.strategies.phases import plan

TORCH = (
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "asgd",
    "nadam",
    "radam",
    "rmsprop",
    "rprop",
    "sgd",
)
TIMM = ("adabelief", "adafactorbv", "adamp", "adan", "adopt", "cadamw", "lamb", "laprop", "lars", "lion",
        "madgrad", "mars", "muon", "nadamw", "nadamuon", "novograd", "rmsproptf", "sgdp", "sgdw")  # fmt: skip


def built(strategy: Strategy, model: nn.Module) -> Optimizer:
    network = stages(model)
    return optimizers.optimizer(strategy, network, plan(strategy, network, 10))


def refused(name: str, **options: Any) -> ConfigIssue:
    with pytest.raises(ConfigError) as caught:
        optimizers.check(Options(name=name, **options))
    (problem,) = caught.value.problems
    assert problem.key == "strategy.optimizer.name"
    assert problem.value == name
    return problem


def holds_still(net: MakeNet, strategy: Strategy) -> None:
    """Frozen before the first step, between two phases and after the last; moved whenever it trains."""
    model = net()
    optimizer = built(strategy, model)
    head, top, everything = (names(model, slice(-n, None)) for n in (1, 2, 4))
    for trained in (head, everything, head, top):
        freezing.freeze(model, trained)
        before = copies(model)
        learn(model, optimizer, batches(3))
        changed = moved(model, before)
        assert changed <= {name for name in before if name in trained or name.rpartition(".")[0] in modules(trained)}
        assert changed & everything == trained
    assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())


def modules(chosen: frozenset[str]) -> set[str]:
    """Whose buffers may change: those beside a trained parameter."""
    return {name.rpartition(".")[0] for name in chosen}


@pytest.mark.parametrize("name", [*TORCH, *TIMM])
def test_what_is_frozen_holds_still_whatever_the_optimizer(net: MakeNet, name: str) -> None:
    holds_still(net, with_optimizer(name))


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "rmsprop"])
def test_it_holds_still_when_gradients_are_clipped_too(net: MakeNet, name: str) -> None:
    holds_still(net, with_optimizer(name, clip=1.0))


@pytest.mark.parametrize("args", [{"amsgrad": True}, {"eps": 1e-3}, {"maximize": True}])
def test_it_holds_still_with_arguments_of_its_own(net: MakeNet, args: dict[str, Any]) -> None:
    strategy = with_optimizer("adamw", args=args)
    holds_still(net, strategy)
    group = built(strategy, net()).param_groups[0]
    assert {name: group[name] for name in args} == args


def test_every_name_can_be_asked_for() -> None:
    known = optimizer_names.names()
    assert {*TORCH, *TIMM} <= set(known)
    assert known == sorted(set(known))


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD), ("rprop", torch.optim.Rprop)]
)
def test_torchs_own_come_first(net: MakeNet, name: str, kind: type) -> None:
    assert type(built(with_optimizer(name), net())) is kind


def test_momentum_and_decay_reach_the_optimizer(net: MakeNet) -> None:
    for name in ("sgd", "sgdw", "rmsprop", "lars"):
        groups = built(with_optimizer(name), net()).param_groups
        assert {group["momentum"] for group in groups} == {0.9}
        assert {group["weight_decay"] for group in groups} == {0.1, 0.0}
    assert all(group["nesterov"] for group in built(with_optimizer("sgd"), net()).param_groups)


@pytest.mark.parametrize(("name", "said"), [
    ("lbfgs", "LBFGS doesn't support per-parameter options"),
    ("sparseadam", "does not support dense gradients"),
    ("adahessian", "it cannot take a step here: "),
    ("adamv", "neither torch nor timm has it; did you mean adam"),
    ("lyon", "did you mean lion?"),
    ("AdamW", "did you mean adamw?"),
    ("optimizer", "neither torch nor timm has it"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused_with_the_reason(name: str, said: str) -> None:
    assert said in refused(name).message


@pytest.mark.parametrize("args", [{"beta": 0.9}, {"betas": [2.0, 0.9]}, {"lr": -1.0}])
def test_arguments_it_does_not_take_are_told(args: dict[str, Any]) -> None:
    refused("adamw", args=args)


class Careless(torch.optim.SGD):
    """Decays whatever it holds, gradient or not (as KellerJordan/Muon#54 did)."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
        super().step(closure)


class Forgetful(torch.optim.SGD):
    """Goes on by its momentum where there is no gradient: wrong only after a tensor has trained once."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                buffer = self.state[parameter].get("momentum_buffer")
                if parameter.grad is None and buffer is not None:
                    parameter.sub_(buffer, alpha=group["lr"])


class Careful(torch.optim.SGD):
    """Nothing wrong with it."""


@pytest.mark.parametrize("kind", [Careless, Forgetful, Careful])
def test_one_that_moves_tensors_without_gradient_is_caught(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    known = {**optimizer_names.of_torch(), "mine": kind}
    monkeypatch.setattr(optimizers, "of_torch", lambda: known)
    optimizers._refusal.cache_clear()
    try:
        if kind is Careful:
            optimizers.check(Options(name="mine"))
        else:
            assert "moves tensors that have no gradient" in refused("mine").message
    finally:
        optimizers._refusal.cache_clear()
