"""A loss that is not finite: the trial stops and names the step and the batch, or leaves the step out and goes on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import tlx
from tests.training.conftest import Compose, Families, Watch, differences
from tlx.columns.batch import Batch
from tlx.runs import layout
from tlx.tasks.classification import ClassificationTask
from tlx.tasks.protocol import StepOutput
from tlx.tracking import event_log
from tlx.training.locate import locate

BAD = 4  # the training step whose loss is spoiled, from 1


@pytest.fixture
def spoiled(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The indices of the batches seen in training; the loss and the input of the fourth are not finite."""
    seen: list[Tensor] = []
    step = ClassificationTask.training_step

    def training_step(self: Any, model: nn.Module, batch: Batch) -> StepOutput:
        seen.append(batch.index)
        if len(seen) != BAD:
            return step(self, model, batch)
        if "image" in batch.inputs:
            batch = replace(batch, inputs={"image": torch.full_like(batch.inputs["image"], math.nan)})
        out = step(self, model, batch)
        assert out.loss is not None
        return replace(out, loss=out.loss * math.nan)

    monkeypatch.setattr(ClassificationTask, "training_step", training_step)
    return seen


@pytest.mark.parametrize("words", [("strategy=fine_tune",), ("strategy=feature_extraction", "reuse=always")])
def test_it_stops_and_keeps_the_batch(small: Compose, spoiled: list[Tensor], words: tuple[str, ...]) -> None:
    trial = small(*words, "strategy.budget=12 steps", "strategy.validate_every=6 steps")
    with pytest.raises(FloatingPointError, match=f"the training loss of step {BAD} is nan"):
        tlx.train(trial)
    place = locate(trial).path
    assert load_file(place / layout.BATCH)["index"].tolist() == spoiled[BAD - 1].tolist()
    last = list(event_log.read(place))[-1]
    assert last["status"] == "FAILED"
    assert "strategy.on_nan=skip" in last["reason"]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_it_goes_on_without_the_step(
    small: Compose, families: Families, spoiled: list[Tensor], watch: Watch, optimizer: str
) -> None:
    words = (
        *families["cnn"],
        "strategy=fine_tune",
        f"strategy.optimizer.name={optimizer}",
        "strategy.validate_every=6 steps",
    )
    trial = small(*words, "strategy.on_nan=skip", "strategy.budget=12 steps")
    result = tlx.train(trial)
    assert result.steps == 12
    left_out = watch.steps[BAD - 1]
    assert not left_out.moved  # no weight, and no statistic of a norm
    assert all(step.moved for step in watch.steps if step is not left_out)
    assert all(bool(tensor.isfinite().all()) for tensor in watch.model.values())
    rows = list(event_log.read(locate(trial).path))
    assert [row["step"] for row in rows if row["event"] == "skipped"] == [BAD]
    losses = [row["values"]["train/loss"] for row in rows if "train/loss" in row.get("values", {})]
    assert all(loss == loss for loss in losses)


def test_where_nothing_is_spoiled_it_changes_nothing(small: Compose) -> None:
    states = []
    for mode in ("stop", "skip"):
        trial = small("strategy=fine_tune", f"strategy.on_nan={mode}")
        tlx.train(trial)
        states.append(load_file(locate(trial).path / layout.CHECKPOINT))
    assert not differences(states[0], states[1])
