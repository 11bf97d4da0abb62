"""The order in which a network uses its parameters: one forward pass that computes nothing and changes nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tlx._compat.fake_tensors import FakeTensor, FakeTensorMode, TorchDispatchMode, failures_untold
from tlx._compat.operations import READS_A_NUMBER
from tlx._compat.pytree import tree_leaves, tree_map

_CPU = torch.device("cpu")


def first_use(model: nn.Module, example: Mapping[str, Any]) -> tuple[dict[int, int], bool]:
    """When each parameter, by ``id``, is first used by ``model(**example)``, and whether that ran to its end.

    Only shapes are computed, for a real model as for one on the meta device, so the answer is the same for both.
    Modes, buffers, attributes and random states are left as they were.
    """
    used: dict[int, int] = {}
    for truth in (False, True):
        watch = _FirstUse(model, truth)
        finished = dry_run(model, (), example, watch, evaluating=True)
        used = watch.first
        if finished:
            return used, True
    return used, False


def ends(model: nn.Module, example: Mapping[str, Any]) -> bool:
    """Does ``model(**example)`` run to its end on shapes alone, where no value that it asks for is true?"""
    return dry_run(model, (), example, _FirstUse(model, truth=False), evaluating=True)


def dry_run(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], watch: Watch, *, evaluating: bool = False
) -> bool:
    """Run ``model(*args, **kwargs)`` on shapes alone under ``watch``; whether it ran to its end.

    With ``evaluating`` in eval mode, else in the modes the modules have. The model is left as it was.
    """
    with unchanged(model), torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), watch, _CPU:
        if evaluating:
            model.eval()
        inputs = tree_map(watch.stand_in, (tuple(args), dict(kwargs)))
        try:
            with failures_untold():
                model(*inputs[0], **inputs[1])
        except Exception:  # foreign code, asked to run without values: it may fail in any way
            return False
    return True


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation of a dry run, and lets a fake tensor on the CPU stand in for every real one.

    Code that asks for a value that nobody knows gets ``truth`` or 1: what is watched for seldom depends on it.
    """

    def __init__(self, truth: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.clock = 0  # operations so far
        self._truth = truth
        self._stand_ins: dict[int, tuple[Tensor, Tensor]] = {}  # with the original, which keeps its id its own

    def before(self, func: Any, args: Any, kwargs: Any) -> None:
        """Called before each operation, with its real tensors where it has any."""

    def after(self, func: Any, args: Any, kwargs: Any, output: Any) -> None:
        """Called after each operation, with fake tensors only."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.lift_fresh.default:  # a constant in the code: its values are known, and may be asked
            return func(*args, **(kwargs or {}))
        if func is READS_A_NUMBER and getattr(args[0], "constant", None) is None:
            dtype = args[0].dtype
            return self._truth if dtype == torch.bool else 1.0 if dtype.is_floating_point else 1
        self.clock += 1
        self.before(func, args, kwargs or {})
        args, kwargs = tree_map(self.stand_in, (args, kwargs or {}))
        output = func(*args, **kwargs)
        self.after(func, args, kwargs, output)
        return output

    def stand_in(self, value: Any) -> Any:
        """What takes the place of an argument: a fake for a tensor, the CPU for a device."""
        if isinstance(value, torch.device):
            return _CPU
        if not isinstance(value, Tensor) or isinstance(value, FakeTensor):
            return value
        if id(value) not in self._stand_ins:
            fake = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=_CPU)
            self._stand_ins[id(value)] = (value, fake)
        return self._stand_ins[id(value)][1]


class _FirstUse(Watch):  # type: ignore[no-untyped-call]
    """Notes each parameter's first operation."""

    def __init__(self, model: nn.Module, truth: bool) -> None:
        super().__init__(truth)
        self.first: dict[int, int] = {}
        self._parameters = {id(parameter) for parameter in model.parameters()}

    def before(self, func: Any, args: Any, kwargs: Any) -> None:
        for value in tree_leaves((args, kwargs)):
            if id(value) in self._parameters:
                self.first.setdefault(id(value), self.clock)


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Give every module's attributes back, and the random states: a forward pass may keep what it made."""
    before = [(module.__dict__, _shallow(module.__dict__)) for module in model.modules()]
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        for attributes, old in before:
            attributes.clear()
            for name, (value, content) in old.items():
                attributes[name] = value
                if content is not None:
                    value.clear()
                    (value.extend if isinstance(value, list) else value.update)(content)


def _shallow(attributes: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Each attribute with a copy of what it holds, where it can hold something."""
    holders = (dict, list, set)
    return {name: (value, value.copy() if isinstance(value, holders) else None) for name, value in attributes.items()}
