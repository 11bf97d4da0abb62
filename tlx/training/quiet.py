"""Third-party start-up noise, silenced by name and nothing else."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# torch, Lightning and friends call each other's deprecated functions; none of it is for our users
_WARNINGS = (
    (r".*does not have many workers.*", UserWarning),
    (r".*isinstance\(treespec, LeafSpec\).*", Warning),
    (r".*recommended to use `self.log\('monitor'.*sync_dist.*", UserWarning),  # its value is global already
    (r".*`max_epochs` was not set.*", UserWarning),
    (r".*srun.*command is available.*", UserWarning),
    (r".*in eval mode at the start of training.*", UserWarning),
    (r".*Detected KeyboardInterrupt.*", UserWarning),
    (r".*Checkpoint directory .* exists and is not empty.*", UserWarning),
    (r"No complete tensor found in the group.*", UserWarning),  # weights laid out as images are, in a .pt2
    (r".*number of training batches .* is smaller than the logging interval.*", UserWarning),
)
_LOGGERS = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "pytorch_lightning.utilities.rank_zero")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence start-up banners and tips while a trial runs; warnings about the user's own doing stay."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message, category in _WARNINGS:
                warnings.filterwarnings("ignore", message=message, category=category)
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
