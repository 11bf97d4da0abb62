"""Whole trials of seconds, with and without reuse, and what there is to compare of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

import tlx
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.tracking import event_log
from tlx.training.locate import locate

BASE = (
    "backbone=narrow_resnet",
    "dataset=digits",
    "dataset.shots=4",
    "strategy=feature_extraction",
    "strategy.budget=8 steps",
    "strategy.batch_size=16",
    "strategy.validate_every=2 steps",
    "tracking=none",
    "hardware=cpu",
    "hardware.threads=1",
)
TEXT = (
    "backbone=narrow_bert",
    "backbone.settings.hidden_size=32",
    "backbone.settings.intermediate_size=40",
    "backbone.settings.num_attention_heads=2",
    "dataset=docstrings",
    "dataset.packages=[ctypes,http,logging]",
    "dataset.shots=10",
)


@dataclass
class Outcome:
    """All that a trial is judged by."""

    metrics: dict[str, Any]
    tensors: dict[str, Tensor]
    predictions: bytes
    rows: list[dict[str, Any]]
    events: list[dict[str, Any]]  # of reuse
    said: list[str]

    def states(self) -> dict[str, str]:
        """How each split was had at last."""
        return {event["split"]: event["state"] for event in self.events}


def words(*overrides: str) -> list[str]:
    """The base with overrides on top; choices of a group come before what is set in it."""
    last = {word.partition("=")[0]: word for word in (*BASE, *overrides)}
    return sorted(last.values(), key=lambda word: "." in word.partition("=")[0])


def composed(*overrides: str) -> Trial:
    return tlx.compose(words(*overrides))


def outcome(trial: Trial) -> Outcome:
    """Run a trial now."""
    said: list[str] = []
    result = tlx.train(trial, said.append)
    return found(locate(trial).path, result.metrics, said)


def found(place: Path, metrics: dict[str, Any], said: list[str]) -> Outcome:
    """What a finished trial left in its folder."""
    rows = [{"step": row["step"], **row["values"]} for row in event_log.metrics(place) if "train/loss" in row["values"]]
    events = [row for row in event_log.read(place) if row["event"] == "reuse"]
    tensors = load_file(place / layout.CHECKPOINT)
    return Outcome(metrics, tensors, (place / layout.PREDICTIONS).read_bytes(), rows, events, said)


def run(folder: Path, when: str, *overrides: str, output: str = "") -> Outcome:
    """A trial with its own runs folder, and a store in ``folder``."""
    fixed = (f"reuse.when='{when}'", f"reuse.folder={folder / 'store'}", f"output={output or when}")
    return outcome(composed(*overrides, *fixed))


def same(one: Outcome, other: Outcome) -> None:
    """Bit for bit: every tensor of the checkpoint, every metric of every validation, every prediction."""
    assert one.tensors.keys() == other.tensors.keys()
    assert [name for name, tensor in one.tensors.items() if not tensor.equal(other.tensors[name])] == []
    assert one.metrics == other.metrics
    assert one.rows == other.rows
    assert one.predictions == other.predictions
