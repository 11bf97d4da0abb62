"""What tlx takes for granted of a callback, tried on a trial of a few steps."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from tlx.components.parts import lacking
from tlx.components.registry import component
from tlx.composition.compose import compose
from tlx.config.fields import HELP
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.runs.result import hashes
from tlx.strategies.freezing import checksums
from tlx.tracking import event_log
from tlx.training import runner, trial_callbacks
from tlx.training.callbacks.callback import HOOKS, Callback
from tlx.training.callbacks.context import Context
from tlx.training.locate import locate
from tlx.training.module import TrialModule

_TRIAL = ["backbone=narrow_resnet", "strategy.init=scratch", "dataset=digits", "dataset.shots=4", "tracking=none"]
_TRIAL += ["strategy.batch_size=8", "strategy.budget=8 steps", "strategy.validate_every=2 steps", "hardware.threads=1"]
_LOOPS = {  # of which the first is Lightning's
    "the Trainer": ["strategy=fine_tune", "hardware.accumulate=2"],
    "the fast loop": ["strategy=feature_extraction", "reuse.when=always"],
}


def check_callback(kind: str, options: Mapping[str, Any] | None = None) -> None:
    """Train small trials with a registered callback, and see that it keeps the contract.

    It is given every hook under Lightning's Trainer and in the fast loop; it changes neither weights nor random numbers
    by itself; what it saves is plain, and gives the same when loaded; where it says that it is resumable, a trial that
    is interrupted ends as one that is not; and every option of its own says what it is for.

    Args:
        kind: The name it is registered under.
        options: Its options, where they are not to be the defaults.

    Raises:
        AssertionError: It does not; the message says what was seen.
        LookupError: There is no such callback.
    """
    part = component("callback", kind)
    silent = [one.name for one in fields(part.config) if not one.metadata.get(HELP)]
    assert not silent, f"options of {kind} without help: {', '.join(silent)}"
    made = part.function()(_trial(kind, options, "nowhere", []).callbacks.__dict__[kind])
    assert isinstance(made, Callback), f"{kind} makes a {type(made).__name__}, which is no Callback"
    with _cache():
        for loop, words in _LOOPS.items():
            _check_hooks(kind, options, loop, words)
        _check_state(kind, options)
        if not lacking(_trial(kind, options, "nowhere", []), "resumable"):
            _check_resume(kind, options)


def _trial(kind: str, options: Mapping[str, Any] | None, output: str, words: list[str]) -> Trial:
    found = {word.partition("=")[0]: word for word in ["strategy=fine_tune", *_TRIAL, *words, f"output={output}"]}
    groups = [word for key, word in found.items() if "." not in key]
    settings = [word for key, word in found.items() if "." in key]
    return compose([*groups, *settings], {f"callbacks.{kind}": dict(options or {})})


@contextmanager
def _cache() -> Iterator[None]:
    """A cache of its own for as long as the checks run."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, TLX_CACHE=str(Path(folder) / "cache")):
        yield


@contextmanager
def _trained(kind: str, options: Mapping[str, Any] | None, words: list[str], wrap: Any = None) -> Iterator[Path]:
    """Train a trial with the callback, each made one given to ``wrap``; its run folder."""
    of_user = trial_callbacks.of_user

    def wrapped(trial: Trial) -> dict[str, Callback]:
        found = of_user(trial)
        if wrap is not None:
            wrap(found[kind])
        return found

    with tempfile.TemporaryDirectory() as folder, patch.object(trial_callbacks, "of_user", wrapped):
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


def _check_state(kind: str, options: Mapping[str, Any] | None) -> None:
    made: list[Callback] = []
    with _trained(kind, options, [], made.append):
        pass
    part = component("callback", kind)
    fresh = part.function()(getattr(_trial(kind, options, "nowhere", []).callbacks, kind))
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


class _InterruptError(Exception):
    """The trial is interrupted here."""


def _check_resume(kind: str, options: Mapping[str, Any] | None) -> None:
    words = ["checkpoint.every_minutes=0"]
    with _trained(kind, options, words) as place:
        expected = hashes(place), _rows(place)
    with tempfile.TemporaryDirectory() as folder:
        trial = _trial(kind, options, folder, words)
        place, whole = locate(trial).path, TrialModule.on_train_epoch_end

        def interrupted(module: TrialModule) -> None:
            whole(module)
            if module.state.rounds == 2:
                raise _InterruptError

        try:
            with patch.object(TrialModule, "on_train_epoch_end", interrupted):
                runner.train(trial)
        except _InterruptError:
            assert any((place / name).is_file() for name in layout.STATES), "no state was saved"
        runner.train(replace(trial))
        found = hashes(place), _rows(place)
    assert found[0] == expected[0], f"{kind}: an interrupted trial ends with other bits than one that was not"
    assert found[1] == expected[1], f"{kind}: an interrupted trial records other rows than one that was not"


def _rows(place: Path) -> list[tuple[Any, ...]]:
    """Of all rounds, in order, whatever was recorded before and after the interruption."""
    return sorted((row["step"], *sorted(row["values"].items(), key=str)) for row in event_log.metrics(place))
