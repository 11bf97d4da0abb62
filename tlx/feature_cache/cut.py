"""Which module calls of a forward pass are constants: everything that ran before the first trained tensor was used.

A dry run finds them: of the calls that ended before then, the outermost are *constant*; those whose output is read
afterwards are the *sites*, and what they give is all that has to be kept. Time, not the order of the stages, is the
judge, so whatever runs before the first trained tensor cannot depend on one, by whatever way.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tlx._compat import operations
from tlx._compat.norms import NormBase
from tlx._compat.pytree import TreeSpec, tree_flatten, tree_unflatten
from tlx.backbones.partition.dry_run import Watch, dry_run
from tlx.columns.input_spec import TextSpec

_LENGTHS = (5, 7)  # tokens of the two dry runs; by what changes between them, the dimensions are known


class NotCacheable(Exception):
    """Nothing can be reused, or not exactly; says why."""


@dataclass(frozen=True, order=True)
class ModuleCall:
    """A module by its path, and which of its calls within one forward pass."""

    path: str
    call: int = 0

    def __str__(self) -> str:
        return self.path if not self.call else f"{self.path}#{self.call}"


@dataclass(frozen=True)
class OutputSpec:
    """One tensor a site gives: by example (``rows``) or by token (``tokens``), [*shape] each; or one for all."""

    kind: str  # rows | tokens | shared
    shape: tuple[int, ...]
    itemsize: int

    def size(self, tokens: float = 1.0) -> float:
        """Bytes per example of that many tokens."""
        if self.kind == "shared":
            return 0.0
        return self.itemsize * torch.Size(self.shape).numel() * (tokens if self.kind == "tokens" else 1.0)


@dataclass(frozen=True)
class OutputTree:
    """The shape of a module's output: a tensor, a tuple, a mapping, with values that are no tensors in their places."""

    spec: TreeSpec
    values: tuple[Any, ...]

    @staticmethod
    def split(output: Any) -> tuple[list[Tensor], OutputTree]:
        """An output as its tensors and its shell."""
        flat, spec = tree_flatten(output)
        tensors = [value for value in flat if isinstance(value, Tensor)]
        return tensors, OutputTree(spec, tuple(_GAP if isinstance(value, Tensor) else value for value in flat))

    def fill(self, tensors: Sequence[Tensor]) -> Any:
        """The output with these tensors."""
        rest = iter(tensors)
        return tree_unflatten([next(rest) if value is _GAP else value for value in self.values], self.spec)


_GAP = object()


@dataclass(frozen=True)
class FrozenPrefix:
    """The constant part of a network, for one set of trained tensors."""

    sites: tuple[ModuleCall, ...]  # their output is kept
    constant: frozenset[ModuleCall]  # these need not run; sites are among them
    leaves: dict[ModuleCall, tuple[OutputSpec, ...]]
    shells: dict[ModuleCall, OutputTree]  # what to put the leaves into
    tensors: frozenset[str]  # the parameters and buffers that the constant part reads
    cost: float  # FLOPs of the constant part, per example (per token of a text)
    whole: float  # FLOPs of a forward pass, likewise

    @property
    def is_features(self) -> bool:
        """Is all of the backbone constant?"""
        return self.sites == (ModuleCall("backbone"),)


def whole_backbone(model: nn.Module, trainable: Collection[str], width: int) -> FrozenPrefix | None:
    """The cut where all of the backbone is frozen and in eval mode, which needs no dry run; None elsewhere.

    A backbone gives features [examples, ``width``]. What they cost is not known (NaN).
    """
    backbone, site = model.get_submodule("backbone"), ModuleCall("backbone")
    tensors = {f"backbone.{name}" for name, _ in [*backbone.named_parameters(), *backbone.named_buffers()]}
    if tensors & set(trainable) or any(module.training for module in backbone.modules()):
        return None
    leaves, shell = (OutputSpec("rows", (width,), 4),), OutputTree.split(torch.empty(0))[1]
    return FrozenPrefix(
        (site,), frozenset({site}), {site: leaves}, {site: shell}, frozenset(tensors), math.nan, math.nan
    )


def cut(model: nn.Module, trainable: Collection[str]) -> FrozenPrefix:
    """The constant part of ``model``, a network with a ``backbone``, in its modes; raises :class:`NotCacheable`.

    Only shapes are computed, for a real model as for one on the meta device; the model is left as it was.
    """
    free: set[str] = set()
    while True:
        first = _look(model, trainable, 2, _LENGTHS[0], free)
        if not first.live:
            raise NotCacheable("nothing runs before the first trained tensor")
        second = _look(model, trainable, 3, _LENGTHS[1], free)
        if first.live != second.live or first.constant != second.constant:
            raise NotCacheable("its forward pass depends on the size of the batch")
        sites = tuple(sorted(first.live))
        found = {site: _leaves(first.outputs[site][0], second.outputs[site][0]) for site in sites}
        odd = {site.path for site in sites if found[site] is None}
        if not odd:
            break
        if any(True for path in odd for _ in model.get_submodule(path).parameters()):
            raise NotCacheable(f"{min(odd)} gives a tensor that is neither by example nor by token")
        free |= odd  # such as rotary embeddings: they depend on the batch's shape alone, and run again in no time
    names = {id(t): name for name, t in [*model.named_parameters(), *model.named_buffers()]}
    inside = {
        id(t)
        for site in first.constant
        for t in [*model.get_submodule(site.path).parameters(), *model.get_submodule(site.path).buffers()]
    }
    examples = 2 * (_LENGTHS[0] if reads_tokens(model) else 1)
    return FrozenPrefix(
        sites,
        frozenset(first.constant),
        {site: leaves for site, leaves in found.items() if leaves is not None},
        {site: first.outputs[site][1] for site in sites},
        frozenset(names[i] for i in inside | first.touched if i in names),
        first.flops_before / examples,
        first.flops / examples,
    )


def reads_tokens(model: nn.Module) -> bool:
    """Does a network read texts, so that what it computes grows with their tokens?"""
    return any(isinstance(spec, TextSpec) for spec in model.takes.values())  # type: ignore[operator]


def _look(model: nn.Module, trainable: Collection[str], count: int, tokens: int, free: Collection[str]) -> _Flow:
    own = dict(model.named_parameters(remove_duplicate=False))
    for truth in (False, True):
        flow = _Flow(model, {id(own[name]) for name in trainable}, truth, free)
        with flow.hooks():
            if dry_run(model, (model.example(count, tokens),), {}, flow):  # type: ignore[operator]
                break
    else:
        raise NotCacheable("its forward pass cannot be followed without values")
    if flow.hidden:
        raise NotCacheable(f"{flow.hidden} leaves something behind that is used later")
    return flow


def _leaves(first: list[Any], second: list[Any]) -> tuple[OutputSpec, ...] | None:
    """How each tensor a site gives grows with examples and tokens; None if in another way."""
    found = []
    for one, other in zip(first, second, strict=True):
        before, after = tuple(one.shape), tuple(other.shape)
        if before == after:
            found.append(OutputSpec("shared", before, one.itemsize))
        elif before[0] == 2 and after == (3, *before[1:]):
            found.append(OutputSpec("rows", before[1:], one.itemsize))
        elif before[:2] == (2, _LENGTHS[0]) and after == (3, _LENGTHS[1], *before[2:]):
            found.append(OutputSpec("tokens", before[2:], one.itemsize))
        else:
            return None
    return tuple(found)


class _Flow(Watch):  # type: ignore[no-untyped-call]
    """Follows which module calls end before the first trained tensor is used, and what of theirs is read after."""

    def __init__(self, model: nn.Module, trainable: set[int], truth: bool, free: Collection[str]) -> None:
        super().__init__(truth)
        self.trainable = trainable
        self.free = free  # modules that are not kept, whatever they give
        self.over = False  # the constant part
        self.constant: set[ModuleCall] = set()
        self.live: set[ModuleCall] = set()
        self.outputs: dict[ModuleCall, tuple[list[Tensor], OutputTree]] = {}
        self.touched: set[int] = set()  # real tensors read in the constant part, by id
        self.flops = self.flops_before = 0.0
        self.hidden = ""  # a module that keeps more than it gives
        self._model = model
        self._buffers = {id(buffer) for buffer in model.buffers()}
        self._calls: dict[str, int] = {}
        self._open: list[
            tuple[ModuleCall, int, list[ModuleCall]]
        ] = []  # running calls: when they began, what ended within
        self._sources: dict[int, frozenset[ModuleCall]] = {}  # storage -> the calls its content comes from
        self._born: dict[int, int] = {}  # storage -> when
        self._written: dict[int, int] = {}  # storage -> when last
        self._held: list[Any] = []  # storages, so that no address is used twice

    def hooks(self) -> ExitStack:
        """Watch every module of the model while inside."""
        stack = ExitStack()
        for path, module in self._model.named_modules():
            enter = module.register_forward_pre_hook(lambda module, args, path=path: self._enter(path, module))
            leave = module.register_forward_hook(lambda module, args, output: self._leave(output))
            stack.callback(enter.remove)
            stack.callback(leave.remove)
        return stack

    def _enter(self, path: str, module: nn.Module) -> None:
        number = self._calls.get(path, 0)
        self._calls[path] = number + 1
        if module.training and isinstance(module, NormBase) and module.track_running_stats:
            self.over = True  # statistics that follow the data are no constants
        self._open.append((ModuleCall(path, number), self.clock, []))

    def _leave(self, output: Any) -> None:
        site, began, within = self._open.pop()
        tensors, shell = OutputTree.split(output)
        made = any(self._written.get(self._storage(tensor), 0) > began for tensor in tensors)
        if not self.over and site.path and site.path not in self.free and made:  # else it hands on what it was given
            self.constant -= set(within)
            self.constant.add(site)
            self.outputs[site] = tensors, shell
            for tensor in tensors:
                storage = self._storage(tensor)
                older = self._born[storage] <= began
                self._sources[storage] = (self._sources.get(storage, frozenset()) if older else frozenset()) | {site}
            within = [site]
        if self._open:
            self._open[-1][2].extend(within)

    def before(self, func: Any, args: Any, kwargs: Any) -> None:
        """Ends the constant part at the first trained tensor or random number."""
        found = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
        trained = any(id(value) in self.trainable for value in found)
        keeps = operations.is_mutable(func) and any(id(value) in self._buffers for value in found)  # counts, statistics
        if trained or keeps or _is_random(func, args, kwargs):
            self.over = True
        if not self.over:
            self.touched |= {id(value) for value in found}

    def after(self, func: Any, args: Any, kwargs: Any, output: Any) -> None:
        """Hands on where values come from; after the constant part, notes what is read of it."""
        cost = operations.flops(func, args, kwargs, output)
        self.flops += cost
        read = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
        sources = frozenset[ModuleCall]().union(
            *(self._sources.get(self._storage(value), frozenset()) for value in read)
        )
        if self.over:
            self.live |= sources & self.constant
            if sources - self.constant and not self.hidden:
                self.hidden = str(min(sources - self.constant))
            return
        self.flops_before += cost
        for value in tree_flatten(output)[0]:
            if isinstance(value, Tensor):
                known = operations.storage_of(value) in self._born
                storage = self._storage(value)
                if not known or operations.is_mutable(func):
                    self._written[storage] = self.clock
                self._sources[storage] = self._sources.get(storage, frozenset()) | sources

    def _storage(self, tensor: Tensor) -> int:
        key = operations.storage_of(tensor)
        if key not in self._born:
            self._born[key] = self.clock
            self._held.append(tensor.untyped_storage())
        return key


def _is_random(func: Any, args: Any, kwargs: Any) -> bool:
    """Does this operation draw random numbers? (attention may, but not with a dropout of zero)"""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    dropout = operations.argument(func, "dropout_p", args, kwargs)
    return dropout is None or bool(dropout)
