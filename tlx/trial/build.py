"""The parts of a trial, in order: data -> backbone -> task head -> stages -> phases -> learner."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch

from tlx.backbones.load import Loaded, load
from tlx.backbones.stages import Stage, stages
from tlx.config.schema import Trial
from tlx.data.module import Data
from tlx.strategies.phases import PhasePlan, plan
from tlx.tasks.build import build as build_task
from tlx.trial.checkpoint import reader
from tlx.trial.learner import Learner
from tlx.trial.machine import Machine, choose


@dataclass
class Built:
    """Everything a trial runs with."""

    machine: Machine
    data: Data
    backbone: Loaded
    stages: list[Stage]
    phases: list[PhasePlan]
    learner: Learner


def build(trial: Trial) -> Built:
    """Build a trial; raises :class:`~tlx.config.errors.RequestError` for data or weights that cannot be used."""
    machine = choose(trial.hardware)
    data = Data(trial.dataset, seed=trial.seed, batch_size=trial.strategy.batch_size, workers=trial.hardware.workers)
    seed_everything(trial.seed)
    pretrained = trial.strategy.init == "pretrained"
    backbone = load(trial.backbone, channels=data.info.channels, pretrained=pretrained, read=reader(trial))
    data.prepare(backbone.spec)
    task = build_task(trial.task, data.info)
    model = task.build(backbone, data.info)
    cut = stages(model)
    epochs = data.epochs(machine.devices, trial.hardware.accumulate)
    phases = plan(trial.strategy, cut, epochs.steps_per_epoch)
    learner = Learner(trial.strategy, task, model, cut, data, epochs, trial.hardware.accumulate)
    return Built(machine, data, backbone, cut, phases, learner)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch; data order and augmentation have seeds of their own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # libraries still draw from it
    torch.manual_seed(seed)
