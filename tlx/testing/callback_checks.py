"""What tlx takes for granted of a callback, tried on a trial of a few steps."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from tlx.components.parts import parts_without
from tlx.components.registry import component
from tlx.config.schema import Trial
from tlx.strategies.freezing import checksums
from tlx.testing.trials import check_resume, composed, options_of, own_cache, whole
from tlx.training import runner, trial_callbacks
from tlx.training.callbacks.callback import HOOKS, Callback
from tlx.training.callbacks.context import Context
from tlx.training.locate import locate

_LOOPS = {  # of which the first is Lightning's
    "the Trainer": ["strategy=fine_tune", "hardware.accumulate=2"],
    "the fast loop": ["strategy=feature_extraction", "reuse.when=always"],
}


def check_callback(kind: str, options: Mapping[str, Any] | None = None, trial: Sequence[str] = ()) -> None:
    """Train small trials with a registered callback, and see that it keeps the contract.

    It is given every hook under Lightning's Trainer and in the fast loop; it changes neither weights nor random numbers
    by itself; what it saves is plain, and gives the same when loaded; where it says that it is resumable, a trial that
    is interrupted ends as one that is not; and every option of its own says what it is for.

    Args:
        kind: The name it is registered under.
        options: Its options, where they are not to be the defaults.
        trial: Further words of the trial, such as ``dataset=...``, ``backbone=...`` or the ``task=...`` that it is for.

    Raises:
        AssertionError: It does not; the message says what was seen.
        LookupError: There is no such callback.
    """
    part = component("callback", kind)
    options_of("callback", kind, None)
    base = whole(trial)
    made = part.function()(_trial(kind, options, "nowhere", base).callbacks.__dict__[kind])
    assert isinstance(made, Callback), f"{kind} makes a {type(made).__name__}, which is no Callback"
    with own_cache():
        for loop, words in _LOOPS.items():
            _check_hooks(kind, options, loop, [*base, *words])
        _check_state(kind, options, base)
        if not parts_without(_trial(kind, options, "nowhere", base), "resumable"):
            check_resume(kind, base, {f"callbacks.{kind}": dict(options or {})})


def _trial(kind: str, options: Mapping[str, Any] | None, output: str, words: list[str]) -> Trial:
    return composed(words, output, {f"callbacks.{kind}": dict(options or {})})


@contextmanager
def _trained(kind: str, options: Mapping[str, Any] | None, words: list[str], wrap: Any = None) -> Iterator[Path]:
    """Train a trial with the callback, each made one given to ``wrap``; its run folder."""
    of_configuration = trial_callbacks.of_configuration

    def wrapped(trial: Trial) -> dict[str, Callback]:
        found = of_configuration(trial)
        if wrap is not None:
            wrap(found[kind])
        return found

    with tempfile.TemporaryDirectory() as folder, patch.object(trial_callbacks, "of_configuration", wrapped):
        trial = _trial(kind, options, folder, words)
        runner.train(trial)
        yield locate(trial).path


def _check_hooks(kind: str, options: Mapping[str, Any] | None, loop: str, words: list[str]) -> None:
    faults: list[str] = []

    def wrap(callback: Callback) -> None:
        for hook in HOOKS:
            if getattr(type(callback), hook) is not getattr(Callback, hook):
                setattr(callback, hook, _watched(getattr(callback, hook), f"{kind}.{hook} under {loop}", faults))

    with _trained(kind, options, words, wrap):
        pass
    assert not faults, "; ".join(dict.fromkeys(faults))


def _watched(hook: Callable[..., Any], name: str, faults: list[str]) -> Callable[..., Any]:
    def call(ctx: Context, *values: Any) -> Any:
        before = checksums(ctx.model), torch.get_rng_state()
        modes = [module.training for module in ctx.model.modules()]
        request = hook(ctx, *values)
        if checksums(ctx.model) != before[0]:
            faults.append(f"{name} changes weights by itself; a callback returns a request instead")
        if not torch.equal(torch.get_rng_state(), before[1]):
            faults.append(f"{name} draws from torch's random numbers, which training needs; use a Generator of its own")
        if [module.training for module in ctx.model.modules()] != modes:
            faults.append(f"{name} leaves modules in another mode than it found them in")
        return request

    return call


def _check_state(kind: str, options: Mapping[str, Any] | None, words: list[str]) -> None:
    made: list[Callback] = []
    with _trained(kind, options, words, made.append):
        pass
    part = component("callback", kind)
    fresh = part.function()(getattr(_trial(kind, options, "nowhere", words).callbacks, kind))
    state = made[0].state_dict()
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    try:
        plain = torch.load(stream, weights_only=True)
    except Exception as error:
        raise AssertionError(f"{kind}.state_dict() holds more than plain values and tensors: {error}") from error
    fresh.load_state_dict(plain, torch.device("cpu"))
    assert _equal(fresh.state_dict(), state), f"{kind} does not save again what it was loaded with"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one.cpu(), other.cpu())
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
