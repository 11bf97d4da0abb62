"""A plain loop for a trial in one process: of a small network, Lightning's step costs an eighth of the training.

It keeps the phase's contract, call for call: the module's hooks in Lightning's order, on Lightning's counters, so that
records, resume and whatever phase comes next cannot tell the difference, and numbers are the same bit for bit.
"""

from __future__ import annotations

import torch
from lightning_fabric.utilities.apply_func import move_data_to_device
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerFn
from torch.optim import Optimizer

from tlx._compat.loop_counters import set_loop_counters
from tlx.columns.batch import Batch
from tlx.training.module import TrialModule

_PRECISIONS = ("32-true", "bf16-mixed")  # the others scale or convert


def fits(module: TrialModule, trainer: Trainer) -> bool:
    """Can the fit that comes next be run here: in one process, of whole batches, without scaling?"""
    alone = trainer.world_size == 1 and module.accumulate == 1
    return alone and str(trainer.precision_plugin.precision) in _PRECISIONS


def fit(module: TrialModule, trainer: Trainer) -> None:
    """What ``trainer.fit(module)`` does, up to the end of the phase or until something stops it."""
    module.trainer = trainer
    module.to(trainer.strategy.root_device)
    trainer.state.fn, trainer.should_stop = TrainerFn.FITTING, False
    optimizer = module.configure_optimizers()
    trainer.strategy.optimizers = [optimizer]
    module.on_train_start()
    step, rounds = int(trainer.global_step), trainer.current_epoch
    while step < module.state.stop and not trainer.should_stop:
        loader = module.train_dataloader()
        module.on_train_epoch_start()
        for number, batch in enumerate(loader):
            _step(module, trainer, optimizer, move_data_to_device(batch, module.device), number)
            step += 1
            set_loop_counters(trainer, rounds, step)
            module.on_train_batch_end(None, batch, number)
        validate(module, trainer)
        module.on_train_epoch_end()
        rounds += 1
        set_loop_counters(trainer, rounds, step)
    module.on_train_end()


def _step(module: TrialModule, trainer: Trainer, optimizer: Optimizer, batch: Batch, number: int) -> None:
    module.on_train_batch_start(batch, number)
    with trainer.precision_plugin.train_step_context():
        loss = module.training_step(batch, number)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    module.on_before_optimizer_step(optimizer)
    clip = trainer.gradient_clip_val
    if clip is not None:
        trainer.precision_plugin.clip_gradients(optimizer, clip)
    optimizer.step()


@torch.no_grad()
def validate(module: TrialModule, trainer: Trainer) -> None:
    """Lightning's validation within a fit."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    module.on_validation_epoch_start()
    for number, batch in enumerate(module.val_dataloader()):
        with trainer.precision_plugin.val_step_context():
            module.validation_step(move_data_to_device(batch, module.device), number)
    module.on_validation_epoch_end()
    for part, mode in modes.items():
        part.training = mode
