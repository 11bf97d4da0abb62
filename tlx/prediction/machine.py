"""Where a trained model computes, and with how many threads: as in the trial's own test, wherever it can be."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.machine import cores
from tlx.config.schema import Trial
from tlx.training.deterministic import deterministic
from tlx.training.machine import Machine

DEVICES = ("auto", "cpu", "cuda", "mps")
_ACCELERATORS = {"cuda": "gpu", "mps": "mps"}


def device(trial: Trial, asked: str = "auto") -> torch.device:
    """The device for a trained model.

    Args:
        trial: Its configuration.
        asked: ``auto``: what the trial's ``hardware.accelerator`` says, and the CPU, with a warning, where a GPU that
            it names is not there.

    Raises:
        ConfigError: What was asked for is not here.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked != "auto":
        if not there.get(asked, False):
            known = ", ".join(("auto", *(name for name, is_there in there.items() if is_there)))
            raise ConfigError([ConfigIssue("device", f"is not here; there are {known}", asked)])
        return torch.device(asked)
    wanted = trial.hardware.accelerator
    names = {"auto": ("cuda", "mps", "cpu"), "gpu": ("cuda", "cpu"), "mps": ("mps", "cpu")}.get(wanted, ("cpu",))
    found = next(name for name in names if there[name])
    if wanted in ("gpu", "mps") and found == "cpu":
        message = f"the trial was told hardware.accelerator={wanted}, which is not here: the model computes on the CPU"
        warnings.warn(message, stacklevel=3)
    return torch.device(found)


@contextmanager
def as_tested(trial: Trial, where: torch.device) -> Iterator[None]:
    """Compute with the threads and the kernels of the trial's own test."""
    threads = trial.hardware.threads or cores()
    before = torch.get_num_threads()
    machine = Machine(_ACCELERATORS.get(where.type, "cpu"), 1, threads, trial.hardware.precision)
    torch.set_num_threads(threads)
    try:
        with deterministic(machine, trial.hardware.deterministic):
            yield
    finally:
        torch.set_num_threads(before)
