"""Trials that share a backbone: each with its own parts, on the features that are kept for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import torch

from tlx.config.schema import Trial
from tlx.feature_cache.context import CacheContext
from tlx.feature_cache.prefix_cache import PhaseUsage
from tlx.runs.folder import RunFolder
from tlx.strategies import freezing
from tlx.strategies.phases import budget_steps
from tlx.tasks.protocol import BatchableTask
from tlx.training.build import TrialComponents, build, build_sibling

Say = Callable[[str], None]


class NotBatchable(Exception):
    """These trials cannot be trained side by side after all: each has to be run by itself."""


@dataclass
class HeadTrial:
    """One of the trials."""

    trial: Trial
    place: RunFolder
    say: Say
    built: TrialComponents
    failure: str = ""
    before: dict[str, int] = field(default_factory=dict)  # checksums at the start, for the audit

    @property
    def head(self) -> torch.nn.Linear:
        """Its head."""
        head = self.built.module.model.get_submodule("head")
        assert isinstance(head, torch.nn.Linear)
        return head

    @property
    def task(self) -> BatchableTask:
        """Its task, whose heads can be side by side."""
        task = self.built.module.task
        assert isinstance(task, BatchableTask)
        return task


def build_heads(pairs: Sequence[tuple[Trial, Say, RunFolder]], stack: ExitStack) -> list[HeadTrial]:
    """Every trial's parts, on one backbone; raises :class:`NotBatchable` if its features cannot be kept.

    What was opened for them is closed with the stack, whatever happens.
    """
    seats: list[HeadTrial] = []
    for trial, say, place in pairs:
        built = build_sibling(seats[0].built, trial) if seats else build(trial)
        seats.append(HeadTrial(trial, place, say, built))
        if len(seats) > 1:
            continue
        stack.callback(built.data.close)
        torch.set_num_threads(built.machine.threads)
        if obstacle := _obstacle(built):
            raise NotBatchable(obstacle)
        match, seeds = built.backbone.match, {one[0].seed_of_init for one in pairs}
        if match is not None and match.missing and len(seeds) > 1:
            raise NotBatchable("the weights leave some of the backbone to chance, and the seeds differ")
        module = built.module
        device = torch.device("cuda" if built.machine.accelerator == "gpu" else built.machine.accelerator)
        module.to(device)
        freezing.freeze(module.model, built.phases[0].trainable)
        total = budget_steps(trial.strategy, module.epochs.steps_per_epoch)
        passes = {"train": total / module.epochs.steps_per_epoch, "val": total / module.interval}
        module.prefix.num_readers = dict.fromkeys(("train", "val", "test"), len(pairs))
        module.prefix.surround(CacheContext(say=say))
        module.prefix.enter(PhaseUsage(built.phases[0].trainable, passes))
        if not module.prefix.is_features:
            raise NotBatchable("their features are not kept")
    return seats


def _obstacle(built: TrialComponents) -> str:
    """Why heads of these data cannot be side by side, although those of the task can."""
    module = built.module
    if getattr(module.model, "beside", None) is not None:
        return "columns go to the head beside the backbone's features"
    if not isinstance(module.task, BatchableTask) or module.task.together([module.task]) is None:
        return "the losses of its heads are not known side by side"
    examples = module.data.examples["train"]
    if module.task.weights(examples.targets, examples.meta) is not None:
        return "examples have weights"
    return ""
