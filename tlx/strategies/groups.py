"""Static parameter groups: every parameter is in one from the start, so freezing never touches the optimizer.

A group is a stage x {decay, no_decay} x its rates over the phases. What is frozen has no gradient and so no step;
what thaws later finds its group waiting. Nothing here looks at ``requires_grad``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from tlx.backbones.partition.stages import HEAD, Stage
from tlx.config.strategy import Strategy
from tlx.strategies.peft import adapters
from tlx.strategies.phases import PhasePlan
from tlx.strategies.rates import rates


def parameter_groups(strategy: Strategy, stages: Sequence[Stage], phases: Sequence[PhasePlan]) -> list[dict[str, Any]]:
    """Groups for a torch optimizer, each with a ``name``, its ``stage`` and its full rate per phase (``rates``).

    Norms, biases, other vectors and what the network itself exempts are never decayed. ``auto_rgn`` sets a rate per
    tensor, so there each is a group.
    """
    table = rates(strategy, stages, phases)
    alone = strategy.controller is not None and strategy.controller.kind == "auto_rgn"
    model = stages[0].model
    inserted, no_decay = adapters.names(model), _no_decay(model)
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for stage in stages:
        for name, parameter in zip(stage.names, stage.parameters(), strict=True):
            decays = parameter.ndim > 1 and name not in no_decay
            if name in inserted and parameter.numel() == max(parameter.shape):  # a scale per channel, however shaped
                decays = False
            key = (stage.name, decays, table[name], name if alone else "")
            if key not in groups:
                groups[key] = {
                    "params": [],
                    "names": [],
                    "name": _name(stage.name, decays, name if alone else "", groups),
                    "stage": stage.name,
                    "rates": table[name],
                    "lr": table[name][0] if table[name] else strategy.lr,
                    "weight_decay": strategy.optimizer.weight_decay if decays else 0.0,
                }
            groups[key]["params"].append(parameter)
            groups[key]["names"].append(name)
    return list(groups.values())


def _no_decay(model: nn.Module) -> set[str]:
    """What the backbone itself wants undecayed, as timm's position embeddings and tokens."""
    backbone = getattr(model, "backbone", None)
    exempt = getattr(backbone, "no_weight_decay", None)
    return {f"backbone.{name}" for name in exempt()} if exempt is not None else set()


def _name(stage: str, decays: bool, tensor: str, groups: dict[tuple[Any, ...], dict[str, Any]]) -> str:
    name = f"{stage}/{tensor}" if tensor else f"{stage}/{'decay' if decays else 'no_decay'}"
    taken = {group["name"] for group in groups.values()}
    number = sum(other == name or other.startswith(f"{name}.") for other in taken)
    return f"{name}.{number}" if number else name


def shown_rates(optimizer: Optimizer) -> dict[str, float]:
    """The present rates of what trains: the head's, and the backbone's, by group where it has several."""
    head: dict[str, float] = {}
    body: dict[str, float] = {}
    for group in optimizer.param_groups:
        if any(parameter.requires_grad for parameter in group["params"]):
            (head if group["stage"] == HEAD else body)[group["name"]] = float(group["lr"])
    shown: dict[str, float] = {}
    for title, found in (("head", head), ("backbone", body)):
        values = set(found.values())
        shown |= found if len(values) > 1 else dict.fromkeys([title] if values else [], max(values, default=0.0))
    return dict(sorted(shown.items()))
