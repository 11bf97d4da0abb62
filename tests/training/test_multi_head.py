"""Heads trained together are the trials they would have been alone: numbers and records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import tlx
from tests.training.conftest import Compose, Families
from tests.training.heads import (
    ALLOWED,
    OPTIMIZERS,
    alone,
    made,
    run,
    same_records,
    same_rows,
    silent,
)
from tlx.orchestration import batchable
from tlx.tracking import event_log
from tlx.training.head_trials import NotBatchable
from tlx.training.locate import locate
from tlx.training.multi_head import train_together


@pytest.mark.long
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_together_each_is_what_it_is_alone(small: Compose, families: Families, optimizer: str) -> None:
    trials = made(small, families, *OPTIMIZERS[optimizer])
    assert len({batchable.key(trial) for trial in trials}) == 1
    results = run(trials)
    for trial, result in zip(trials, results, strict=True):
        assert result is not None
        assert result.identity == locate(replace(trial, reuse=replace(trial.reuse, when="off"))).identity
        same_records(trial, result)
        (shared,) = [row for row in event_log.read(locate(trial).path) if row["event"] == "together"]
        assert shared["trials"] == len(trials)
    steps = [result.steps for result in results if result is not None]
    assert max(steps) == 24
    if optimizer == "adamw":
        assert len(set(steps)) >= 3  # those that ended early did so in rounds of their own


def test_all_may_end_early(small: Compose, families: Families) -> None:
    trials = made(small, families, names=("threshold", "plateau"))
    results = run(trials)
    assert all(result is not None and result.steps < 24 for result in results)


def test_features_in_bf16_are_read_side_by_side(small: Compose, families: Families) -> None:
    trials = made(small, families, "reuse.precision=bf16", names=("plain", "smooth"))
    assert len({batchable.key(trial) for trial in trials}) == 1
    for trial, result in zip(trials, run(trials), strict=True):
        assert result is not None
        same_records(trial, result)


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["off", "views=3"])
def test_augmented_examples_are_those_that_are_kept(small: Compose, families: Families, augment: str) -> None:
    words = ("dataset.augment=shift", f"reuse.augment='{augment}'", "strategy.budget=15 steps")
    trials = made(small, families, *words, names=("plain", "decay", "smooth"))
    assert len({batchable.key(trial) for trial in trials} - {None}) == 1
    results = run(trials)
    for trial, result in zip(trials, results, strict=True):
        assert result is not None
        other = replace(trial, output="alone")
        expected = tlx.train(other)  # on the same features: without any, augmentations are others
        assert result.metrics == pytest.approx(expected.metrics, rel=ALLOWED, abs=ALLOWED)
        same_rows(locate(trial).path, locate(other).path)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["cnn", "vit", "bert"])
def test_every_head_begins_as_it_would_alone(small: Compose, families: Families, family: str) -> None:
    """Whatever building the network has drawn by then, with weights to load or without."""
    words = (*families[family], "strategy=feature_extraction", "reuse=always", "strategy.budget=2 steps")
    shots = () if family == "bert" else ("dataset.shots_seed=0",)
    seeds = (0, 0) if family == "vit" else (3, 0, 7)  # without weights the seed is the backbone's too
    trials = [small(*words, *shots, f"seed={seed}", f"strategy.lr=0.0{1 + i}") for i, seed in enumerate(seeds)]
    assert len({batchable.key(trial) for trial in trials}) == 1
    for trial, result in zip(trials, run(trials), strict=True):
        assert result is not None
        assert result.metrics == pytest.approx(alone(trial)[0].metrics, rel=ALLOWED, abs=ALLOWED)


@pytest.mark.slow
def test_weights_that_leave_some_to_chance_leave_it_to_each_trials_seed(
    small: Compose, families: Families, folder: Path
) -> None:
    """A checkpoint may lack a few tensors: those are random, and other ones with another seed."""
    state = load_file(families["cnn"][0].partition("=")[2])
    save_file({name: t for name, t in state.items() if name != "layer4.0.conv2.weight"}, folder / "lacking.safetensors")
    lacking = f"backbone.weights={folder / 'lacking.safetensors'}"
    trials = made(small, families, lacking, names=("plain", "decay", "seed"))
    try:
        train_together(trials, [silent] * 3)
    except NotBatchable:
        for trial in trials:
            tlx.train(trial)
    for trial in trials:
        result = locate(trial).result()
        assert result is not None
        assert result.metrics == pytest.approx(alone(trial)[0].metrics, rel=ALLOWED, abs=ALLOWED)
