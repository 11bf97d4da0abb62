"""Which trials of a sweep share work: those that differ in their heads alone are trained side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tlx.components.parts import parts_without
from tlx.components.registry import component
from tlx.config.amount import AUTO
from tlx.config.dataset import SHUFFLE
from tlx.config.identity import identity_fields
from tlx.config.machine import num_micro_batches
from tlx.config.schema import Trial
from tlx.config.strategy import Phase, Schedule, Strategy
from tlx.feature_cache.rules import RULES
from tlx.training.earlier_runs import begins_from

LIMIT = 64  # heads trained at once


def key(trial: Trial) -> str | None:
    """Equal for trials that can be trained together; None where a trial has to be alone.

    Rate, decay, schedule, early ending and what is kept may differ, and what the task allows of its options. So may the
    seeds, unless they decide the examples or the backbone's weights.
    """
    if parts_without(trial, "batchable_head") or trial.dataset.mix != "none" or trial.strategy.on_nan == "skip":
        return None
    if trial.dataset.test_augment:  # whose test is more than features that are kept
        return None
    if not (_is_plain(trial.strategy) and _is_simple(trial)) or begins_from(trial):  # a head that is drawn for nobody
        return None
    task = task_key(trial)
    if task is None:
        return None
    random_weights = trial.strategy.init == "scratch" or trial.backbone.weights == "none"
    random_shots = trial.dataset.shots is not None and trial.dataset.shots_seed is None
    plain = replace(
        trial,
        seed=trial.seed if random_shots else 0,
        init_seed=trial.seed_of_init if random_weights else None,
        order_seed=trial.seed_of_order if trial.reuse.views else None,
    )
    (phase,) = trial.strategy.phases
    plateau = phase.plateau if trial.strategy.validate_every == AUTO else None  # it has a say in how long rounds are
    strategy = replace(
        trial.strategy,
        name="",
        lr=0.0,
        backbone_lr=None,
        lr_shallow=None,
        layer_decay=1.0,
        min_scale=0.0,
        optimizer=replace(trial.strategy.optimizer, weight_decay=0.0),
        schedule=Schedule(),
        keep="best",
        phases=[Phase(train=["head"], until=phase.until, plateau=plateau)],
    )
    same = identity_fields(replace(plain, strategy=strategy, task=task))
    places = [str(part) for part in (trial.dataset, trial.hardware, trial.reuse, trial.output)]  # files are not in it
    return json.dumps([same, places], sort_keys=True, default=str)


def task_key(trial: Trial) -> Any:
    """What has to be equal of the task's options; None where its heads are trained alone.

    A task says so by its function ``batch_key``; for one without it, all of its options have to be equal.
    """
    part = component("task", trial.task.kind)
    return part.function("batch_key")(trial.task) if "batch_key" in part.functions else trial.task


def alike(trial: Trial) -> str:
    """Equal for trials that freeze the same of the same backbone and read the same held-out examples."""
    dataset = replace(trial.dataset, sampler=SHUFFLE)  # of training alone
    if dataset.validation == "extra":  # else the shots decide what validates
        dataset = replace(dataset, shots=None, shots_seed=None)
    random_weights = trial.strategy.init == "scratch" or trial.backbone.weights == "none"
    phases = [[phase.train, phase.freeze] for phase in trial.strategy.phases]
    same = [trial.backbone, dataset, phases, trial.strategy.init, trial.seed_of_init if random_weights else 0]
    return json.dumps(identity_fields(same), sort_keys=True, default=str)


def _is_plain(strategy: Strategy) -> bool:
    """One phase that descends on the head alone, by a rule known for many heads."""
    if len(strategy.phases) != 1:
        return False
    (phase,) = strategy.phases
    heads = phase.train == ["head"] and not phase.freeze and phase.solver == "gradient" and phase.expand is None
    more = phase.reinit or phase.lr_mult or strategy.lr_mult
    known = set(strategy.optimizer.args) <= set(RULES.get(strategy.optimizer.name, ()))
    still = strategy.frozen_norm == "eval"
    return heads and not more and still and strategy.optimizer.name in RULES and known and strategy.clip is None


def _is_simple(trial: Trial) -> bool:
    """One device in full precision, with features that can be kept."""
    hardware, reuse = trial.hardware, trial.reuse
    keeps = reuse.when != "off" and (trial.dataset.augment == "none" or reuse.augment != "refuse")
    return keeps and hardware.precision == "32-true" and not hardware.compile and num_micro_batches(hardware) == 1
