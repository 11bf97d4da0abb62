"""Running means of trained weights (EMA, SWA), means of several validations' weights, and lines between two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from tlx._compat.tensors import lerp_
from tlx.backbones.weights import State

Measure = Callable[[State], float]


class Running:
    """A running mean of what trains. Only parameters: buffers such as BatchNorm's statistics follow the model.

    ``decay`` gives an exponential mean: the decay at update t is ``min(decay, (1 + t) / (10 + t))``, as in TensorFlow's
    ``ExponentialMovingAverage`` with ``num_updates``. timm's ``ModelEmaV3`` has no warm-up by default, and another one
    with ``use_warmup``; at a constant decay both are the same. Without ``decay`` all updates weigh the same (stochastic
    weight averaging, Izmailov et al. 2018).
    """

    def __init__(self, decay: float | None) -> None:
        self.decay = decay
        self.counts: dict[str, int] = {}  # updates of each tensor: one may join later, or rest in between
        self.mean: State = {}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights that train now; one that trains for the first time starts at its present value."""
        own = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        for name, value in own.items():
            if name not in self.mean:
                self.mean[name], self.counts[name] = value.clone(), 0
        for count in {self.counts[name] for name in own}:
            names = [name for name in own if self.counts[name] == count]
            share = 1 / (count + 1) if self.decay is None else 1 - min(self.decay, (1 + count) / (10 + count))
            lerp_([self.mean[name] for name in names], [own[name] for name in names], share)
        for name in own:
            self.counts[name] += 1

    def state(self) -> dict[str, object]:
        """What :meth:`load` needs to go on."""
        return {"counts": dict(self.counts), "mean": {name: tensor.clone() for name, tensor in self.mean.items()}}

    def load(self, state: Mapping[str, object], device: torch.device) -> None:
        """Go on from :meth:`state`."""
        counts, mean = state["counts"], state["mean"]
        assert isinstance(counts, dict)
        assert isinstance(mean, dict)
        self.counts, self.mean = dict(counts), {name: tensor.to(device) for name, tensor in mean.items()}


def mean(states: Sequence[State]) -> State:
    """The mean of several states; what is not a float is the first one's."""
    return {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(first.dtype)
        if first.is_floating_point()
        else first
        for name, first in states[0].items()
    }


def between(start: State, end: State, share: float) -> State:
    """``(1 - share) start + share end``; what is not a float is the end's. The ends are exact."""
    return {
        name: torch.lerp(start[name].double(), last.double(), share).to(last.dtype)
        if last.is_floating_point()
        else last
        for name, last in end.items()
    }


def greedy_soup(ingredients: Sequence[State], measure: Measure) -> State:
    """Start from the first (best) ingredient and keep each next one that does not make the mean worse.

    ``measure`` is higher for better (Wortsman et al. 2022, model soups, recipe 1).
    """
    pot, best = [ingredients[0]], measure(ingredients[0])
    for ingredient in ingredients[1:]:
        value = measure(mean([*pot, ingredient]))
        if value >= best:
            pot, best = [*pot, ingredient], value
    return mean(pot)


def wise_ft(start: State, end: State, shares: Sequence[float], measure: Measure) -> tuple[State, float]:
    """The best point on the line from start to end and its share of the end; of equals, the one nearer the end.

    Float buffers (BatchNorm statistics) are interpolated as the weights are (Wortsman et al. 2022, WiSE-FT).
    """
    measured = [(measure(between(start, end, share)), share) for share in shares]
    share = max(measured)[1]
    return between(start, end, share), share
