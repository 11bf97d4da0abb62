"""Lightning's counters of epochs and steps. No public way sets them: its resume is of one fit, ours of many."""

from __future__ import annotations

from pytorch_lightning import Trainer


def set_loop_counters(trainer: Trainer, epochs: int, step: int) -> None:
    """Have a trainer count as if it had run this far.

    Args:
        trainer: One that has not fitted, or stands between two fits.
        epochs: That are over.
        step: Optimizer steps that were taken.
    """
    progress = trainer.fit_loop.epoch_progress
    for count in (progress.total, progress.current):
        count.ready = count.completed = epochs
        vars(count).update(started=epochs, processed=epochs)
    loop = trainer.fit_loop.epoch_loop
    steps = loop.automatic_optimization.optim_progress.optimizer.step.total
    steps.ready = steps.completed = step
    loop._batches_that_stepped = step
