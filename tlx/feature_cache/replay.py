"""Run a network with its constant part left out: recorded outputs take the place of the module calls that gave them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from tlx._compat.fake_tensors import FakeTensor, FakeTensorMode, fake, fake_parameters
from tlx._compat.pytree import tree_flatten, tree_map
from tlx.backbones.partition.dry_run import unchanged
from tlx.columns.input_spec import ImageSpec
from tlx.feature_cache.cut import FrozenPrefix, ModuleCall, OutputTree

Kept = Mapping[ModuleCall, Sequence[Tensor]]


@contextmanager
def recording(
    model: nn.Module, sites: Collection[ModuleCall], enough: bool = False
) -> Iterator[dict[ModuleCall, list[Tensor]]]:
    """What every site gives in the forward pass inside; with ``enough`` it runs no further than the last of them."""
    kept: dict[ModuleCall, list[Tensor]] = {}

    def call(site: ModuleCall, original: Any, args: Any, kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        if site in sites:
            kept[site] = [tensor.clone() for tensor in OutputTree.split(output)[0]]
            if enough and len(kept) == len(sites):
                raise _Enough
        return output

    with _calling({site.path: model.get_submodule(site.path) for site in sites}, call), suppress(_Enough):
        yield kept
    if len(kept) < len(sites):
        raise RuntimeError("a forward pass did not reach every site that the dry run had seen")


@torch.no_grad()
def record(
    model: nn.Module, inputs: Mapping[str, Any], sites: Collection[ModuleCall]
) -> dict[ModuleCall, list[Tensor]]:
    """What every site gives for the inputs of a batch."""
    with recording(model, sites, enough=True) as kept:
        model(inputs)
    return kept


class Replay:
    """Plays back what the sites of a cut gave.

    A constant call that is no site gives an empty tensor of the right shape, as code between modules may ask for
    shapes; its values are read by nobody.
    """

    def __init__(self, model: nn.Module, cut: FrozenPrefix) -> None:
        self.cut = cut
        self._model = model
        self._modules = {path: model.get_submodule(path) for path in sorted({site.path for site in cut.constant})}
        self._shapes: dict[Any, Any] = {}  # of what is not kept, by site and input shapes

    @contextmanager
    def replaying(self, kept: Kept) -> Iterator[None]:
        """One forward pass inside is replayed; its batch may lack the inputs only the constant part reads."""

        def call(site: ModuleCall, original: Any, args: Any, kwargs: Any) -> Any:
            if site not in self.cut.constant:
                return original(*args, **kwargs)
            if site in kept:
                return self.cut.shells[site].fill(kept[site])
            return self._empty(site, original, args, kwargs)

        count = next(len(tensors[0]) for tensors in kept.values())
        with _calling(self._modules, call), self._inputs(count):
            yield

    @contextmanager
    def _inputs(self, count: int) -> Iterator[None]:
        """Images that were not decoded are empty ones to the backbone."""
        takes: Mapping[str, Any] = self._model.takes  # type: ignore[assignment]
        images = {argument: spec for argument, spec in takes.items() if isinstance(spec, ImageSpec)}
        if not images or self.cut.is_features:
            yield
            return
        backbone = self._model.get_submodule("backbone")
        device = next(backbone.parameters()).device

        def add(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            for name, spec in images.items() if not args else ():
                if name not in kwargs:
                    empty = torch.empty(count, spec.channels, spec.height, spec.width, device=device)
                    kwargs = {name: empty, **kwargs}
            return args, kwargs

        handle = backbone.register_forward_pre_hook(add, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    def _empty(self, site: ModuleCall, original: Any, args: Any, kwargs: Any) -> Any:
        flat, spec = tree_flatten((args, kwargs))
        looks = tuple(_look(value) for value in flat)
        key = (site, spec, looks)
        if key not in self._shapes:
            module = self._modules[site.path]
            mode = FakeTensorMode(allow_non_fake_inputs=True)
            with unchanged(module), mode, torch.no_grad(), fake_parameters(module):
                fakes = tree_map(fake, (args, kwargs))
                self._shapes[key] = tree_map(_outline, original(*fakes[0], **fakes[1]))
        return tree_map(lambda v: v.make() if isinstance(v, _Outline) else v, self._shapes[key])


@contextmanager
def _calling(modules: Mapping[str, nn.Module], call: Any) -> Iterator[None]:
    """Every call of these modules, in one forward pass, goes through ``call(site, original, args, kwargs)`` instead."""
    calls: dict[str, int] = {}

    def through(path: str, original: Any) -> Any:
        def forward(*args: Any, **kwargs: Any) -> Any:
            site = ModuleCall(path, calls.get(path, 0))
            calls[path] = site.call + 1
            return call(site, original, args, kwargs)

        return forward

    own: dict[str, Any] = {path: vars(module).get("forward") for path, module in modules.items()}
    for path, module in modules.items():
        module.forward = through(path, module.forward)
    try:
        yield
    finally:
        for path, module in modules.items():
            if own[path] is None:
                del module.forward
            else:
                module.forward = own[path]


class _Enough(Exception):
    """Everything wanted has been recorded."""


class _Outline:
    """A tensor without values."""

    def __init__(self, tensor: Tensor) -> None:
        self.shape, self.dtype, self.device = tuple(tensor.shape), tensor.dtype, tensor.device

    def make(self) -> Tensor:
        return torch.empty(self.shape, dtype=self.dtype, device=self.device)


def _outline(value: Any) -> Any:
    return _Outline(value) if isinstance(value, FakeTensor) else value


def _look(value: Any) -> Any:
    """What a shape can depend on."""
    if isinstance(value, Tensor):
        return (tuple(value.shape), value.dtype)
    return value if isinstance(value, (int, float, str, bool, type(None))) else type(value)
