"""Terms added to the loss: distance from the start, small singular values, drift of feature maps."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tlx._compat.devices import onto
from tlx.backbones.partition.stages import HEAD, Stage, outlet
from tlx.columns.input_spec import InputSpec, arguments
from tlx.components.parts import make_part
from tlx.config.strategy import Strategy
from tlx.config.strategy_parts import Regulariser


class Penalty(ABC):
    """A regulariser of one model. Inside :meth:`watching` a forward pass is observed; :meth:`value` is its term."""

    @contextmanager
    def watching(self, inputs: Mapping[str, Any]) -> Iterator[None]:
        """Observe the training forward of a batch with these inputs, by column."""
        yield

    @abstractmethod
    def value(self) -> Tensor:
        """The term to add to the loss of the batch just seen."""


class L2SP(Penalty):
    """``alpha/2 |w - w0|^2`` over the backbone and ``beta/2 |w|^2`` over the head (Li et al. 2018, L2-SP).

    Only what trains counts: a frozen tensor stays where it started anyway.
    """

    def __init__(self, options: Regulariser, model: nn.Module, stages: Sequence[Stage]) -> None:
        self.alpha, self.beta = options.alpha, options.beta
        self.head = [p for stage in stages if stage.name == HEAD for p in stage.parameters()]
        body = [p for stage in stages if stage.name != HEAD for p in stage.parameters()]
        self.body = [(parameter, parameter.detach().clone()) for parameter in body]

    def value(self) -> Tensor:
        self.body = [(p, onto(start, p.device)) for p, start in self.body]  # to where the model has been moved, once
        moved = [(p - start).pow(2).sum() for p, start in self.body if p.requires_grad]
        size = [p.pow(2).sum() for p in self.head if p.requires_grad]
        terms = [self.alpha / 2 * term for term in moved] + [self.beta / 2 * term for term in size]
        return torch.stack(terms).sum()


class BSS(Penalty):
    """``alpha`` times the sum of the ``smallest`` squared singular values of the features (Chen et al. 2019)."""

    def __init__(self, options: Regulariser, model: nn.Module, stages: Sequence[Stage]) -> None:
        self.head, self.alpha, self.smallest = model.get_submodule("head"), options.alpha, options.smallest
        self.features: Tensor | None = None

    @contextmanager
    def watching(self, inputs: Mapping[str, Any]) -> Iterator[None]:
        def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            self.features = given[0]

        handle = self.head.register_forward_pre_hook(keep)
        try:
            yield
        finally:
            handle.remove()

    def value(self) -> Tensor:
        if self.features is None:
            raise RuntimeError("no forward pass has been watched")
        values: Tensor = torch.linalg.svdvals(self.features.float())
        return self.alpha * values[-self.smallest :].pow(2).sum()


class Delta(Penalty):
    """``alpha/2`` times the squared distance of feature maps from those of the network at the start (Li et al. 2019).

    The maps are the outputs of the blocks that are stages. DELTA's attention over channels, which needs one pass over
    the data per channel, is left out: every channel weighs the same. The distance is per example.
    """

    def __init__(self, options: Regulariser, model: nn.Module, stages: Sequence[Stage]) -> None:
        self.alpha = options.alpha
        self.backbone: nn.Module = model.get_submodule("backbone")
        self.reads: dict[str, str] = model.reads  # type: ignore[assignment]
        self.takes: dict[str, InputSpec] = model.takes  # type: ignore[assignment]
        self.teacher = copy.deepcopy(self.backbone).eval().requires_grad_(False)
        blocks = [stage for stage in stages if any(letter.isdigit() for letter in stage.name)]  # no stem, neck or head
        self.places = [outlet(model, block).removeprefix("backbone").removeprefix(".") for block in blocks]
        self.pairs: list[tuple[Tensor, Tensor]] = []

    @contextmanager
    def watching(self, inputs: Mapping[str, Any]) -> Iterator[None]:
        weight = next(self.backbone.parameters())
        self.teacher.to(weight.device)
        with _outputs(self.teacher, self.places) as old, torch.no_grad():
            self.teacher(**arguments(self.reads, inputs, self.takes, weight.dtype))
        with _outputs(self.backbone, self.places) as new:
            yield
        self.pairs = [(new[place], old[place]) for place in self.places if place in new]

    def value(self) -> Tensor:
        distances = [(new - old).float().pow(2).sum() / len(new) for new, old in self.pairs]
        return self.alpha / 2 * torch.stack(distances).sum()


def penalty(strategy: Strategy, model: nn.Module, stages: Sequence[Stage]) -> Penalty | None:
    """The strategy's regulariser, begun at the model's present weights; nothing without one."""
    options = strategy.regulariser
    if options is None:
        return None
    found: Penalty = make_part("regulariser", options, model, stages)
    return found


@contextmanager
def _outputs(module: nn.Module, places: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """What the modules at ``places`` put out in the forward passes inside."""
    seen: dict[str, Tensor] = {}

    def keeper(place: str) -> Any:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            seen[place] = output[0] if isinstance(output, tuple) else output

        return keep

    handles = [module.get_submodule(place).register_forward_hook(keeper(place)) for place in places]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
