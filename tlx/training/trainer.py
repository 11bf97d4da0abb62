"""The Lightning Trainer of a trial, and what the feature cache must know of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytorch_lightning import Trainer
from pytorch_lightning.strategies import ModelParallelStrategy

from tlx.config.schema import Trial
from tlx.feature_cache.context import CacheContext
from tlx.feature_cache.process_group import ProcessGroup
from tlx.tracking.event_log import EventLog
from tlx.training.build import TrialComponents

Say = Callable[[str], None]


def make_trainer(trial: Trial, built: TrialComponents, folder: Path) -> Trainer:
    """Make the Trainer that runs every phase; it logs, saves and shows nothing by itself."""
    return Trainer(
        accelerator=built.machine.accelerator,
        devices=built.machine.devices,
        num_nodes=built.machine.nodes,
        strategy=_parallel(trial, built),
        precision=trial.hardware.precision,  # type: ignore[arg-type]
        accumulate_grad_batches=trial.hardware.accumulate,
        gradient_clip_val=trial.strategy.clip,
        max_epochs=0,
        reload_dataloaders_every_n_epochs=1,  # each round is a loader of its own
        use_distributed_sampler=False,  # the order shares batches out itself
        num_sanity_val_steps=0,
        inference_mode=False,  # metrics are shared with the fit that follows a validation
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _parallel(trial: Trial, built: TrialComponents) -> str | ModelParallelStrategy:
    if built.machine.world == 1:
        return "auto"
    if trial.hardware.distributed == "ddp":
        return "ddp"
    return ModelParallelStrategy(data_parallel_size=built.machine.world, tensor_parallel_size=1)


def cache_context(trainer: Trainer, events: EventLog, say: Say) -> CacheContext:
    """Say under which precision, and with which other processes, kept features are made."""
    together = ProcessGroup(int(trainer.global_rank), int(trainer.world_size))
    plugin = trainer.precision_plugin
    return CacheContext(plugin.val_step_context, str(plugin.precision), together, events.write, say)
