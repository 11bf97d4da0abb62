"""Libraries that are run only when something of them is used.

Lightning imports all of torchmetrics, which imports transformers, matplotlib and scipy.signal; torchvision and the
first optimizer step import torch's compiler. Together they take several times as long as torch itself, and a trial uses
next to nothing of them. ``import tlx`` therefore defers the packages of :data:`DEFERRED`: such a package can be
imported, and so can its submodules, without running its ``__init__``, which runs as soon as a name is asked of it that
is not declared here. What is imported already stays as it is.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from tlx._compat.plain_shapes import PLAIN, SYMBOLS, GuardOnDataDependentSymNode

Deferred = Callable[[ModuleType, str], Any]  # the value of a name of a module that has not run
_LOCK = threading.RLock()
# where a module that has not run keeps its loader, and the functions that are to be decorated when it does
_LOADER, _NOTED = "_tlx_loader", "_tlx_noted"


class _Type:
    """Stands for a class in ``isinstance`` and annotations: of a module that has not run there are no instances yet.

    Whatever else is done with it runs the module, and is done with the class itself.
    """

    def __init__(self, module: ModuleType, name: str) -> None:
        self._module, self._name = module, name

    def _real(self) -> Any:
        run(self._module)
        return vars(self._module)[self._name]

    def __instancecheck__(self, instance: object) -> bool:
        real = vars(self._module).get(self._name)
        return real is not None and isinstance(instance, real)

    def __subclasscheck__(self, subclass: type) -> bool:
        real = vars(self._module).get(self._name)
        return real is not None and issubclass(subclass, real)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._real()(*args, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"type object {self._name!r} has no attribute {name!r}")
        return getattr(self._real(), name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (self._real(),)

    def __or__(self, other: Any) -> Any:
        return self._real() | other

    def __ror__(self, other: Any) -> Any:
        return other | self._real()


def _in(submodule: str, *, after: str = "") -> Deferred:
    """Take a name from the one submodule that defines it; ``after`` another, where two import each other."""

    def find(module: ModuleType, name: str) -> Any:
        if after:
            import_module(after)
        return getattr(import_module(submodule), name)

    return find


def _as(value: Any) -> Deferred:
    """Take a value that does as well for as long as the module has not run."""
    return lambda module, name: value


def _forwarded(module: ModuleType, name: str) -> Any:
    """Make a function that runs its module when it is called."""

    def call(*args: Any, **options: Any) -> Any:
        run(module)
        return vars(module)[name](*args, **options)

    return call


def _remembered(module: ModuleType, name: str) -> Any:
    """Make a decorator that leaves a function as it is, and is applied to it when its module runs."""

    def decorate(function: Any) -> Any:
        vars(module).setdefault(_NOTED, []).append((name, function))
        return function

    return decorate


def _plain(module: ModuleType, name: str) -> Any:
    """Make a function that answers for plain numbers until its module has run, and then asks it."""
    answer = PLAIN[name]

    def call(*args: Any, **options: Any) -> Any:
        if any(type(value).__name__ in SYMBOLS for value in args):
            run(module)
        real = vars(module).get(name)
        return answer(*args, **options) if real is None else real(*args, **options)

    return call


def _graph_break(*args: Any, **options: Any) -> None:
    """Do nothing: the compiler has not been imported, so nothing is being compiled."""


def _disable(fn: Any = None, *args: Any, **options: Any) -> Any:
    """Give the function back: there is no compiler to keep away from it."""
    return fn if fn is not None else lambda function: function


DEFERRED: Mapping[str, Mapping[str, Deferred]] = {
    "sympy": {"Basic": _Type},
    "torch._dynamo": {
        "allow_in_graph": _remembered,
        "assume_constant_result": _remembered,
        "disable": _as(_disable),
        "graph_break": _as(_graph_break),
        "OptimizedModule": _Type,
    },
    "torch.fx.experimental.symbolic_shapes": {
        **dict.fromkeys(PLAIN, _plain),
        "GuardOnDataDependentSymNode": _as(GuardOnDataDependentSymNode),
    },
    "torch.utils._sympy.functions": {"Max": _forwarded},
    "torchmetrics": {
        "Metric": _in("torchmetrics.metric", after="torchmetrics.utilities"),
        "MetricCollection": _in("torchmetrics.collections", after="torchmetrics.utilities"),
        "__version__": _in("torchmetrics.__about__"),
        "_logger": _as(logging.getLogger("torchmetrics")),
    },
    "torchmetrics.classification": {},
    "torchmetrics.functional": {},
    "torchmetrics.functional.classification": {},
    "torchmetrics.utilities.plot": {
        "_AX_TYPE": _as(object),
        "_PLOT_OUT_TYPE": _as(Any),
        "_CMAP_TYPE": _as(Any),
        **dict.fromkeys(("plot_single_or_multi_val", "plot_confusion_matrix", "plot_curve"), _forwarded),
    },
    "torchvision.datasets": {},
    "torchvision.io": {},
    "torchvision.models": {},
    "torchvision.ops": {},
}


# packages whose submodules import each other, so that they run before any of them but those named here
CIRCULAR = {"torch._dynamo": ("torch._dynamo.config", "torch._dynamo._trace_wrapped_higher_order_op")}


# packages that cannot run before one of their own submodules has: each imports the other, and only this order works
FIRST = {"torchmetrics": "torchmetrics.utilities"}


class _Deferred(ModuleType):
    """A module that has not run yet."""

    def __getattr__(self, name: str) -> Any:
        light = DEFERRED[self.__name__].get(name)
        if light is not None:
            return light(self, name)
        if name.startswith("__") and name not in ("__all__", "__version__"):  # Python asks for what few modules have
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        run(self)
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        run(self)
        return dir(self)


def run(module: ModuleType) -> None:
    """Run a deferred module; one that has run, or runs now, is left alone."""
    with _LOCK:
        if _LOADER in vars(module) and (first := FIRST.get(module.__name__, "sys")) not in sys.modules:
            import_module(first)
        loader, noted = vars(module).pop(_LOADER, None), vars(module).pop(_NOTED, ())
        if loader is None:
            return
        before = dict(vars(module))
        module.__class__ = ModuleType
        try:
            loader.exec_module(module)
        except BaseException:
            vars(module).clear()
            vars(module).update(before, **{_LOADER: loader, _NOTED: list(noted)})
            module.__class__ = _Deferred
            raise
        for name, function in noted:
            vars(module)[name](function)


class _DeferringLoader(Loader):
    """Makes a module of a spec, and leaves it to be run later by the spec's own loader."""

    def __init__(self, inner: Loader) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:  # get_source, get_resource_reader, ...
        return getattr(self.inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Mark the module as one that has not run."""
        vars(module)[_LOADER] = self.inner
        module.__class__ = _Deferred


class _Imported(Loader):
    """Gives a module that was imported while it was looked for."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Give the module."""
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it is."""
        module.__spec__ = self.spec


class _Finder(MetaPathFinder):
    """Finds what the other finders find, and defers it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find one of the deferred packages; None for any other module."""
        first = FIRST.get(fullname.partition(".")[0])
        if first is not None and "." in fullname and fullname != first and first not in sys.modules:
            import_module(first)
            if (known := sys.modules.get(fullname)) is not None:
                return ModuleSpec(fullname, _Imported(known))
        if fullname not in DEFERRED:
            package = fullname.rpartition(".")[0]
            is_alone = fullname in CIRCULAR.get(package, (fullname,))
            if is_alone or not isinstance(sys.modules.get(package), _Deferred):
                return None
            run(sys.modules[package])
            module = sys.modules.get(fullname)
            return None if module is None else ModuleSpec(fullname, _Imported(module))
        for finder in sys.meta_path:
            if isinstance(finder, _Finder):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _DeferringLoader(spec.loader)
                return spec
        return None


def install() -> None:
    """Defer the packages of :data:`DEFERRED` from here on, in this process."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
