"""Steps of a trial are asked for one after the other: none waits for the device until a round is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tlx
from tests.training.conftest import Compose
from tests.waiting import Waits
from tlx.training.module import TrialModule

HOOKS = ("on_train_batch_start", "training_step", "on_before_optimizer_step", "on_train_batch_end", "validation_step")
CASES = {
    "everything": ("strategy=fine_tune",),
    "features": ("strategy=feature_extraction", "reuse=always"),
    "prefix": ("strategy=lp_ft", "reuse=always"),
    "mixed": ("strategy=fine_tune", "dataset.mix=both"),
    "class weights": ("strategy=feature_extraction", "task.loss.class_weight=auto", "task.loss.kind=focal"),
    "running mean": ("strategy=fine_tune", "strategy.averaging={kind: ema}"),
    "L2-SP": ("strategy=fine_tune", "strategy.regulariser={kind: l2_sp}"),
}


def watched(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """By hook of a step, what each call of it would wait for."""
    found: dict[str, list[list[str]]] = {name: [] for name in HOOKS}

    def watching(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def hook(*args: Any, **kwargs: Any) -> Any:
            with Waits() as waits:
                output = original(*args, **kwargs)
            found[name].append(waits.found)
            return output

        return hook

    for name in HOOKS:
        monkeypatch.setattr(TrialModule, name, watching(name, getattr(TrialModule, name)))
    return found


@pytest.mark.parametrize("case", CASES)
def test_no_step_waits(small: Compose, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    found = watched(monkeypatch)
    tlx.train(small(*CASES[case]))
    for name, calls in found.items():
        assert calls, name
        assert not any(calls), name


def test_leaving_steps_out_asks_once(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a step is taken has to be known before it is: by one question, not one for each tensor."""
    found = watched(monkeypatch)
    tlx.train(small("strategy=fine_tune", "strategy.on_nan=skip"))
    assert {len(call) for call in found["on_before_optimizer_step"]} == {1}
