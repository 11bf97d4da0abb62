"""What heads that are trained side by side must have in common of their task's options. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import replace

from tlx.config.task import AutoTask, Classification, Loss, Regression


def classification(options: Classification | AutoTask) -> Classification | AutoTask | None:
    """Everything but how much they smooth; None where the loss is another than cross entropy of equal classes.

    Heads that are calibrated have a number of their own beside their weights, and are trained alone.
    """
    plain = replace(options.loss, label_smoothing=0.0)
    return replace(options, loss=plain) if plain == Loss() and options.calibration == "none" else None


def regression(options: Regression) -> Regression:
    """Every option."""
    return options
