"""A plain loop for phases that read nothing but kept features: there, Lightning's step costs more than the training.

It keeps the phase's contract, call for call: the learner's hooks in Lightning's order, on Lightning's counters, so that
records, resume and whatever phase comes next cannot tell the difference, and numbers are the same bit for bit.
"""

from __future__ import annotations

import torch
from lightning_fabric.utilities.apply_func import move_data_to_device
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerFn
from torch.optim import Optimizer

from tlx._compat.loop_counters import set_loop_counters
from tlx.tasks.protocol import Batch
from tlx.training.learner import Learner

_PRECISIONS = ("32-true", "bf16-mixed")  # the others scale or convert


def fits(learner: Learner, trainer: Trainer) -> bool:
    """Can the fit that comes next be run here? Asking may fill the store."""
    alone = trainer.world_size == 1 and learner.accumulate == 1
    if not alone or str(trainer.precision_plugin.precision) not in _PRECISIONS:
        return False
    learner.to(trainer.strategy.root_device)
    return learner.prefix.is_features


def fit(learner: Learner, trainer: Trainer) -> None:
    """What ``trainer.fit(learner)`` does, up to the end of the phase or until something stops it."""
    learner.trainer = trainer
    trainer.state.fn, trainer.should_stop = TrainerFn.FITTING, False
    optimizer = learner.configure_optimizers()
    trainer.strategy.optimizers = [optimizer]
    learner.on_train_start()
    step, rounds = int(trainer.global_step), trainer.current_epoch
    while step < learner.stop and not trainer.should_stop:
        loader = learner.train_dataloader()
        learner.on_train_epoch_start()
        for number, batch in enumerate(loader):
            _step(learner, trainer, optimizer, move_data_to_device(batch, learner.device), number)
            step += 1
            set_loop_counters(trainer, rounds, step)
            learner.on_train_batch_end(None, batch, number)
        validate(learner, trainer)
        learner.on_train_epoch_end()
        rounds += 1
        set_loop_counters(trainer, rounds, step)
    learner.on_train_end()


def _step(learner: Learner, trainer: Trainer, optimizer: Optimizer, batch: Batch, number: int) -> None:
    learner.on_train_batch_start(batch, number)
    with trainer.precision_plugin.train_step_context():
        loss = learner.training_step(batch, number)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    learner.on_before_optimizer_step(optimizer)
    clip = trainer.gradient_clip_val
    if clip is not None:
        trainer.precision_plugin.clip_gradients(optimizer, clip)
    optimizer.step()


@torch.no_grad()
def validate(learner: Learner, trainer: Trainer) -> None:
    """Lightning's validation within a fit."""
    modes = {module: module.training for module in learner.modules()}
    learner.eval()
    learner.on_validation_epoch_start()
    for number, batch in enumerate(learner.val_dataloader()):
        with trainer.precision_plugin.val_step_context():
            learner.validation_step(move_data_to_device(batch, learner.device), number)
    learner.on_validation_epoch_end()
    for module, mode in modes.items():
        module.training = mode
