"""Callbacks put in order, and called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch

from tlx.training.callbacks.callback import ALLOWED, HOOKS, Callback, Request, SkipStep
from tlx.training.callbacks.context import Context

Kind = TypeVar("Kind", bound=Callback)


class Callbacks:
    """Callbacks by name, each after those that it names in ``after``, otherwise in the order in which they are given.

    A hook that none of them overrides costs nothing.
    """

    def __init__(self, named: Mapping[str, Callback]) -> None:
        """Put them in order; raises :class:`ValueError` where there is none."""
        self.named = {name: named[name] for name in _ordered(named)}
        self._hooks = {
            hook: [one for one in self.named.values() if getattr(type(one), hook) is not getattr(Callback, hook)]
            for hook in HOOKS
        }

    def call(self, hook: str, ctx: Context, *values: Any) -> Iterator[Request]:
        """Call a hook of each, and give what they ask for; the optimizer step that one has skipped is over for all.

        Raises:
            TypeError: One asks for what its hook cannot be granted.
        """
        for one in self._hooks[hook]:
            request = getattr(one, hook)(ctx, *values)
            if request is not None:
                if type(request) not in ALLOWED[hook]:
                    allowed = ", ".join(sorted(kind.__name__ for kind in ALLOWED[hook]))
                    raise TypeError(f"{type(one).__name__}.{hook} asks for {request!r:.80}; it may ask for {allowed}")
                yield request
                if isinstance(request, SkipStep):
                    return

    def find(self, kind: type[Kind]) -> Kind | None:
        """The first of a kind; None where there is none."""
        return next((one for one in self.named.values() if isinstance(one, kind)), None)

    @property
    def swaps(self) -> frozenset[str]:
        """Parameters that one of them may have validated with other weights."""
        return frozenset().union(*(one.swaps for one in self.named.values()))

    def state_dict(self) -> dict[str, Any]:
        """Each one's state, by name."""
        return {name: one.state_dict() for name, one in self.named.items()}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from :meth:`state_dict`; raises :class:`KeyError` where another set of callbacks was saved."""
        if state.keys() != self.named.keys():
            raise KeyError(f"callbacks {', '.join(state)}, and here {', '.join(self.named)}")
        for name, one in self.named.items():
            one.load_state_dict(state[name], device)


def _ordered(named: Mapping[str, Callback]) -> list[str]:
    left, done = list(named), list[str]()
    while left:
        free = [name for name in left if not any(one in left for one in named[name].after)]
        if not free:
            raise ValueError(f"each of these callbacks has to come after another: {', '.join(left)}")
        done.append(free[0])
        left.remove(free[0])
    return done
