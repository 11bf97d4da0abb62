"""Strategies that look while they train: rates by gradient norm, and freezing of what has settled."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tlx.backbones.partition.stages import HEAD, Stage, outlet
from tlx.columns.batch import Batch
from tlx.components.parts import make_part
from tlx.config.strategy_parts import Controller as Options

_FLOOR = 1e-2  # root mean square below which a tensor is taken to start from zero, as new biases do
_LEAST = 1e-3  # no tensor learns more slowly than this beside the fastest


class Controller:
    """Watches optimizer steps and decides between rounds. ``settled`` names what has been frozen so far."""

    def __init__(self, options: Options, stages: Sequence[Stage]) -> None:
        self.options = options
        self.stages = [stage for stage in stages if stage.name != HEAD]
        self.settled: frozenset[str] = frozenset()
        self.decided = 0  # optimizer step of the last decision
        self.factors: dict[str, float] = {}  # on the rates of parameters, by name

    def is_due(self, step: int, interval: int) -> bool:
        """Is it time for a decision, ``interval`` steps after the last? If so, it is taken to be made."""
        if step - self.decided < interval:
            return False
        self.decided = step
        return True

    def observe(self, model: nn.Module, scale: float) -> None:
        """Look at the gradients of an optimizer step, which are ``scale`` times the true ones."""

    def decide(self, model: nn.Module, batch: Batch, rate: float) -> frozenset[str]:
        """After a round with its last ``batch`` and schedule factor ``rate``: everything settled by now."""
        return self.settled

    def state(self) -> dict[str, Any]:
        """What :meth:`load` needs to go on: plain values and tensors."""
        kept = {name: value for name, value in vars(self).items() if name not in ("options", "stages", "settled")}
        return copy.deepcopy({**kept, "settled": sorted(self.settled)})

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state`."""
        vars(self).update({**state, "settled": frozenset(state["settled"])})


class AutoRGN(Controller):
    """Each tensor learns in proportion to its relative gradient norm |g| / |w| (Lee et al. 2022, Auto-RGN).

    Ratios are means over the first ``batches`` steps of a round, divided by the largest, as in the authors' code
    (github.com/anniesch/surgical-finetuning), which differs in four points: it measures on extra batches before each
    epoch, so that rates apply from its first step on; it makes the optimizer anew with them; it divides by |w| however
    small, where here a root mean square below 1/100 counts as that; and its rates may be as small as they come out,
    where here none falls below 1/1000 of the fastest. Norms, which its optimizer leaves out, are for phases to freeze.
    """

    def __init__(self, options: Options, stages: Sequence[Stage]) -> None:
        super().__init__(options, stages)
        self.seen = 0
        self.sums: dict[str, float] = {}

    def observe(self, model: nn.Module, scale: float) -> None:
        self.seen += 1
        if self.seen > self.options.batches:
            return
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                floor = _FLOOR * math.sqrt(parameter.numel())
                ratio = float(parameter.grad.norm()) / scale / max(float(parameter.detach().norm()), floor)
                self.sums[name] = self.sums.get(name, 0.0) + ratio
        if self.seen == self.options.batches:
            self._weigh()

    def decide(self, model: nn.Module, batch: Batch, rate: float) -> frozenset[str]:
        if self.seen < self.options.batches:  # a round shorter than that
            self._weigh()
        self.seen, self.sums = 0, {}
        return self.settled

    def _weigh(self) -> None:
        largest = max(self.sums.values(), default=0.0)
        if largest > 0:
            self.factors = {name: max(_LEAST, value / largest) for name, value in self.sums.items()}


class AutoFreeze(Controller):
    """Freezes a growing prefix of stages whose gradients have stopped changing (Liu et al. 2021, AutoFreeze).

    G is the L1 norm of a stage's gradients, summed as vectors over an interval: what cancels out is no change. With
    eta = |G_before - G| / G_before, the prefix ends before the first active stage whose eta reaches the percentile of
    the active ones. Decisions are those of the authors' code (github.com/YuhanLiu11/AutoFreeze) on the same layers, but
    for three points: nothing thaws, where theirs begins at the front again if no active layer changed at all; the stem
    is a stage like the others, where their embeddings freeze with the first layer; and the optimizer goes on, where
    theirs is made anew.

    Needs the memory of one gradient for each parameter that is still active.
    """

    def __init__(self, options: Options, stages: Sequence[Stage]) -> None:
        super().__init__(options, stages)
        self.first = 0  # active stage
        self.before: list[float] | None = None
        self.sums: dict[str, Tensor] = {}  # of each parameter's gradients since the last decision

    def observe(self, model: nn.Module, scale: float) -> None:
        for stage in self.stages[self.first :]:
            for name, parameter in zip(stage.names, stage.parameters(), strict=True):
                if parameter.grad is None:
                    continue
                if name not in self.sums:
                    exact = torch.promote_types(parameter.dtype, torch.float32)  # small values get lost in 16 bits
                    self.sums[name] = torch.zeros_like(parameter, dtype=exact, requires_grad=False)
                self.sums[name].add_(parameter.grad.detach(), alpha=1 / scale)

    def decide(self, model: nn.Module, batch: Batch, rate: float) -> frozenset[str]:
        now, before = [self._norm(stage) for stage in self.stages], self.before
        self.before, self.sums = now, {}
        active = [i for i in range(self.first, len(self.stages)) if now[i] > 0 and (before is None or before[i] > 0)]
        if before is None or not active or active[0] != self.first:  # the phase itself keeps the front-most frozen
            return self.settled
        change = {i: abs(before[i] - now[i]) / before[i] for i in active}
        bar = float(np.percentile(list(change.values()), self.options.percentile))
        self.first = next(i for i in active if change[i] >= bar)
        self.settled = frozenset(name for stage in self.stages[: self.first] for name in stage.names)
        return self.settled

    def _norm(self, stage: Stage) -> float:
        """The L1 norm of a stage's summed gradients."""
        norms = [self.sums[name].abs().sum() for name in stage.names if name in self.sums]
        return float(torch.stack(norms).sum()) if norms else 0.0


class Egeria(Controller):
    """Freezes the front-most stage whose activations have converged (Wang et al. 2023, Egeria).

    Plasticity is the similarity-preserving distance (Tung & Mori 2019) between a stage's output and that of the network
    one check earlier, on the round's last batch. The stage freezes when the slope of the smoothed plasticity over
    ``window`` checks stays below ``tolerance`` times its largest for ``patience`` checks; everything thaws when the
    learning rate has fallen ``thaw``-fold since the first check.

    A variant: it follows the paper's description, and was not compared with code of the authors. Their system compares
    with a quantised copy that is made anew from time to time and runs beside training, and begins to freeze after a
    bootstrapping stage; here the copy is of full precision, as old as the last check, and checked from the start.
    """

    def __init__(self, options: Options, stages: Sequence[Stage]) -> None:
        super().__init__(options, stages)
        self.first = 0  # active stage
        self.history: list[float] = []
        self.steepest = 0.0
        self.calm = 0
        self.rate: float | None = None
        self.earlier: dict[str, Tensor] | None = None

    def decide(self, model: nn.Module, batch: Batch, rate: float) -> frozenset[str]:
        self.rate = self.rate or rate
        if rate * self.options.thaw <= self.rate and self.settled:
            self.rate, self.first, self.settled = rate, 0, frozenset()
            self._start_anew()
        elif self.earlier is not None and self._front_trains():
            self.history.append(self._plasticity(model, batch, self.earlier))
            if self._is_flat():
                self.first += 1
                self.settled = frozenset(name for stage in self.stages[: self.first] for name in stage.names)
                self._start_anew()
        self.earlier = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        return self.settled

    def _front_trains(self) -> bool:
        """Is there a stage to freeze, and one that the phase trains? (the last always goes on)"""
        front = self.stages[self.first]
        return self.first < len(self.stages) - 1 and any(p.requires_grad for p in front.parameters())

    def _start_anew(self) -> None:
        self.history, self.steepest, self.calm = [], 0.0, 0

    def _is_flat(self) -> bool:
        window = self.options.window
        recent = np.array(self.history[-window:])
        if len(recent) < 2:
            return False
        smooth = np.cumsum(recent) / np.arange(1, len(recent) + 1)
        slope = abs(float(np.polyfit(np.arange(len(smooth)), smooth, 1)[0]))
        self.steepest = max(self.steepest, slope)
        self.calm = self.calm + 1 if slope <= self.options.tolerance * self.steepest else 0
        return self.calm >= self.options.patience

    @torch.no_grad()
    def _plasticity(self, model: nn.Module, batch: Batch, earlier: dict[str, Tensor]) -> float:
        stage = self.stages[self.first]
        modes = {module: module.training for module in model.modules()}
        model.eval()
        try:
            now = _output(model, stage, batch, {})
            then = _output(model, stage, batch, earlier)
        finally:
            for module, mode in modes.items():
                module.training = mode
        distance = (_similarity(now) - _similarity(then)).pow(2).sum() / len(now) ** 2
        if torch.distributed.is_initialized():  # each process has a batch of its own, but all must decide alike
            torch.distributed.all_reduce(distance)
        return float(distance)


def controller(options: Options | None, stages: Sequence[Stage]) -> Controller | None:
    """The strategy's controller; nothing without one."""
    if options is None:
        return None
    found: Controller = make_part("controller", options, stages)
    return found


def _output(model: nn.Module, stage: Stage, batch: Batch, weights: dict[str, Tensor]) -> Tensor:
    """What a stage puts out, with other weights if given; per example."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        seen.append(output[0] if isinstance(output, tuple) else output)

    handle = model.get_submodule(outlet(model, stage)).register_forward_hook(keep)
    try:
        torch.func.functional_call(model, weights, (batch.inputs,)) if weights else model(batch.inputs)
    finally:
        handle.remove()
    return seen[-1].float().flatten(1)


def _similarity(features: Tensor) -> Tensor:
    """The batch's similarities, each row of length one."""
    gram = features @ features.T
    unit: Tensor = gram / gram.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return unit
