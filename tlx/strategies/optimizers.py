"""Optimizers of torch and timm by name, each probed for what freezing needs before it is trusted."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from tlx.backbones.partition.stages import Stage
from tlx.components.registry import of_group
from tlx.composition.optimizer_names import names, of_torch
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.strategy import Optimizer as Options
from tlx.config.strategy import Strategy
from tlx.strategies.groups import parameter_groups
from tlx.strategies.phases import PhasePlan

_KEY = "strategy.optimizer.name"


def optimizer(
    strategy: Strategy, stages: Sequence[Stage], phases: Sequence[PhasePlan], *, fused: bool = True
) -> Optimizer:
    """The strategy's optimizer over all groups; raises :class:`ConfigError` for one that cannot be used.

    ``fused`` steps are taken where torch has them, unless gradients are clipped: such a step unscales half-precision
    gradients itself.
    """
    check(strategy.optimizer)
    fused = fused and strategy.clip is None
    return _make(strategy.optimizer, parameter_groups(strategy, stages, phases), fused=fused)


def forget(state: dict[str, Any], gone: frozenset[str]) -> dict[str, Any]:
    """An optimizer's ``state_dict`` without what it remembers of these parameters."""
    groups = state["param_groups"]
    numbers = {name: i for group in groups for name, i in zip(group["names"], group["params"], strict=True)}
    left = {i: value for i, value in state["state"].items() if i not in {numbers[name] for name in gone}}
    return {**state, "state": left}


def check(options: Options) -> None:
    """Raise :class:`ConfigError` unless the optimizer exists, takes its arguments and leaves frozen tensors alone."""
    reason = _refusal(options.name, options.weight_decay, options.momentum, json.dumps(options.args, sort_keys=True))
    if reason:
        raise ConfigError([ConfigIssue(_KEY, reason, options.name)])


@cache
def _refusal(name: str, decay: float, momentum: float, args: str) -> str:
    """Why this optimizer cannot be used; empty if it can.

    Two tensors, one of them frozen at first, then trained, then frozen again: while frozen its bits must not change.
    """
    options = Options(name=name, weight_decay=decay, momentum=momentum, args=json.loads(args))
    taken = sorted({"lr", "weight_decay", "params"} & options.args.keys())
    if taken:
        return f"args cannot set {', '.join(taken)}, which the strategy does"
    if options.name not in of_group("optimizer") and options.name not in of_torch() and options.name not in names():
        return f"neither torch nor timm has it{suggest(options.name.lower(), names())}"
    generator = torch.Generator().manual_seed(0)
    steady, frozen = (nn.Parameter(torch.randn(8, 8, generator=generator)) for _ in range(2))
    vector = nn.Parameter(torch.randn(8, generator=generator))
    groups: list[dict[str, Any]] = [
        {"params": [steady]},
        {"params": [frozen]},
        {"params": [vector], "weight_decay": 0.0},
    ]
    try:
        made = _make(options, [{"lr": 1e-2, "weight_decay": decay, **group} for group in groups], fused=False)
        for trains in (False, True, False):
            for parameter in (steady, vector, frozen):
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            if not trains:
                frozen.grad = None
            before = frozen.detach().clone()
            made.step()
            if not trains and not torch.equal(before, frozen.detach()):
                return "it moves tensors that have no gradient, so frozen would not be frozen"
    except (TypeError, ValueError, RuntimeError, AttributeError, AssertionError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        return f"it cannot take a step here: {first}"
    return ""


def _make(options: Options, groups: list[dict[str, Any]], *, fused: bool) -> Optimizer:
    arguments: dict[str, Any] = dict(options.args)
    if options.name in (own := of_group("optimizer")):
        part = own[options.name]
        made_by_plugin: Optimizer = part.function()(part.config(**arguments), groups)
        return made_by_plugin
    if options.name in of_torch():
        kind = of_torch()[options.name]
        takes = inspect.signature(kind).parameters
        if "momentum" in takes:
            arguments.setdefault("momentum", options.momentum)
        if "nesterov" in takes:
            arguments.setdefault("nesterov", options.momentum > 0)
        if "fused" in takes:
            arguments.setdefault("fused", fused)
        made: Optimizer = kind(groups, **arguments)
        return made
    from timm.optim import create_optimizer_v2

    made = create_optimizer_v2(groups, opt=options.name, momentum=options.momentum, **arguments)
    return made
