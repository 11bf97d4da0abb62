"""A calibrated trial is the same trial, whose outputs are divided by the temperature of its validation, everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

import tlx
from tlx.composition.compose import compose
from tlx.config.errors import ConfigError
from tlx.orchestration import batchable
from tlx.runs import layout
from tlx.tracking import event_log
from tlx.training.locate import locate

WORDS = ("backbone=pixels", "dataset=digits", "strategy=feature_extraction", "strategy.budget='2 epochs'")
MORE = ("strategy.lr=0.1", "tracking=none")
CALIBRATED = "task.calibration=temperature"


def chances(folder: Path) -> torch.Tensor:
    rows = [json.loads(line) for line in (folder / layout.PREDICTIONS).read_text().splitlines()]
    return torch.tensor([row["probabilities"] for row in rows], dtype=torch.float64)


def test_a_calibrated_trial_is_the_same_but_for_its_probabilities(folder: Path) -> None:
    usual, ours = compose([*WORDS, *MORE]), compose([*WORDS, *MORE, CALIBRATED])
    plain, found = tlx.train(usual), tlx.train(ours)
    one, other = locate(usual).path, locate(ours).path
    before, after = load_file(one / layout.CHECKPOINT), load_file(other / layout.CHECKPOINT)
    assert after.keys() - before.keys() == {"temperature"}
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert plain.metrics["val/loss"] == found.metrics["val/loss"]
    assert plain.metrics["test/acc"] == found.metrics["test/acc"]
    value = found.metrics["val/temperature"]
    assert value is not None
    assert float(after["temperature"]) == value
    (row,) = [row for row in event_log.read(other) if row["event"] == "calibration"]
    assert row["temperature"] == value
    assert row["after"] < row["before"] == pytest.approx(plain.metrics["val/loss"], rel=1e-5)
    assert found.metrics["val/calibrated_loss"] == row["after"]
    expected = (chances(one).clamp(min=1e-9).log() / value).softmax(-1)
    likely = chances(one).min(1).values > 1e-4  # six digits are kept of a probability
    assert torch.allclose(chances(other)[likely], expected[likely], atol=2e-3)
    labels = [json.loads(line)["label"] for line in (other / layout.PREDICTIONS).read_text().splitlines()]
    loss = F.nll_loss(chances(other).clamp(min=1e-7).log(), torch.tensor([int(label) for label in labels]))
    assert found.metrics["test/loss"] == pytest.approx(float(loss), rel=1e-3)
    model = tlx.load(other)
    assert float(model.network.get_buffer("temperature")) == value
    begun = tlx.train(compose([*WORDS, *MORE, CALIBRATED, f"strategy.init=run:{other}", "strategy.budget='1 steps'"]))
    assert begun.metrics["val/temperature"] != value  # of its own weights


def test_a_validation_without_a_mistake_fits_nothing(folder: Path) -> None:
    Path("t.csv").write_text("x,label\n" + "".join(f"{i % 2},{'ab'[i % 2]}\n" for i in range(80)))
    words = [
        "backbone=columns",
        "dataset=tabular",
        "dataset.file=t.csv",
        "strategy=feature_extraction",
        "tracking=none",
    ]
    trial = compose([*words, "strategy.budget='10 steps'", CALIBRATED])
    found = tlx.train(trial)
    assert found.metrics["test/acc"] == 1
    assert found.metrics["val/temperature"] == 1
    assert found.metrics["val/calibrated_loss"] == pytest.approx(found.metrics["val/loss"])
    (row,) = [row for row in event_log.read(locate(trial).path) if row["event"] == "calibration"]
    assert "no mistake" in row["not_fitted"]


def test_heads_that_are_calibrated_are_trained_alone() -> None:
    words = [*WORDS, *MORE, "reuse=always", "dataset.shots=4"]
    assert batchable.key(compose(words)) is not None
    assert batchable.key(compose([*words, CALIBRATED])) is None


def test_numbers_have_no_probabilities(folder: Path) -> None:
    Path("t.csv").write_text("x,label\n" + "".join(f"{i},{i / 2}\n" for i in range(40)))
    words = [
        "backbone=columns",
        "dataset=tabular",
        "dataset.file=t.csv",
        "dataset.label_type=number",
        *WORDS[2:],
        *MORE,
    ]
    with pytest.raises(ConfigError, match="no probabilities to calibrate"):
        tlx.train(compose([*words, CALIBRATED]))
