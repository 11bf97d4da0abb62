"""The hardware a trial runs on: what was asked for, settled against what is there."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.hardware import Hardware
from tlx.config.machine import cores

_MOST_WORKERS = 16  # of a device


@dataclass(frozen=True)
class Machine:
    """Accelerator (cpu | gpu | mps), processes of a node, and CPU threads and workers of each."""

    accelerator: str
    devices: int
    threads: int
    precision: str
    nodes: int = 1
    workers: int = 0

    @property
    def world(self) -> int:
        """Processes in all."""
        return self.devices * self.nodes

    def __str__(self) -> str:
        device = {"cpu": "CPU", "gpu": "GPU", "mps": "Apple GPU"}[self.accelerator]
        processes = f"{self.world} processes" if self.world > 1 else "1 process"
        processes += f" on {self.nodes} nodes" if self.nodes > 1 else ""
        return f"{device}, {processes} x {self.threads} thread{'s' if self.threads > 1 else ''}, {self.precision}"


def choose_machine(hardware: Hardware) -> Machine:
    """Settle ``auto``: every CUDA device, else Apple's, else the CPU; raises :class:`ConfigError`."""
    accelerator = hardware.accelerator
    if accelerator == "auto":
        accelerator = "gpu" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    have = {"gpu": torch.cuda.device_count(), "mps": 1}.get(accelerator, cores())
    devices = hardware.devices or (have if accelerator == "gpu" and hardware.accelerator == "auto" else 1)
    if devices > have:
        message = f"torch sees {have} here; use hardware=cpu or fewer devices"
        raise ConfigError([ConfigIssue("hardware.devices", message, devices)])
    threads = hardware.threads or max(1, cores() // devices)
    workers = hardware.workers
    if workers is None:
        workers = max(1, min(_MOST_WORKERS, cores() // max(1, have) - 1)) if accelerator == "gpu" else 0
    return Machine(accelerator, devices, threads, hardware.precision, hardware.nodes, workers)


def rank() -> int:
    """This process's number among those of its trial, before torch.distributed knows it."""
    started = "LOCAL_RANK" in os.environ  # by Lightning, maybe within a job of Slurm that has a number of its own
    return int(os.environ.get("LOCAL_RANK" if started else "SLURM_PROCID", "0"))
