"""What a person can say about the loggers that tlx brings; others bring their own."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import option


@dataclass
class Csv:
    """Writes ``metrics.csv`` into the run folder: a row for each row of metrics, a column for each metric."""


@dataclass
class TensorBoard:
    """Writes TensorBoard's event files into the run folder (``pip install 'tlx[tensorboard]'``)."""


@dataclass
class Wandb:
    """Sends rows to Weights & Biases, or keeps them for ``wandb sync`` (``pip install 'tlx[wandb]'``)."""

    project: str | None = option(None, "project in W&B; null: WANDB_PROJECT, else tlx", runtime_only=True)
    entity: str | None = option(None, "user or team in W&B; null: WANDB_ENTITY, else your own", runtime_only=True)
    mode: str = option(
        help="auto: WANDB_MODE, else online where there is an API key and W&B answers, else offline, for wandb sync",
        choices=("auto", "online", "offline", "disabled"),
        runtime_only=True,
    )
    patience: float = option(
        60.0,
        "seconds that beginning, and uploading at the end, may each take; wandb sync sends the rest",
        runtime_only=True,
        above=0,
    )
