"""What this machine has, found without importing torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_CLUSTER: ContextVar[str] = ContextVar("cluster", default="")


@contextmanager
def elsewhere(cluster: str) -> Iterator[None]:
    """While inside, what is composed is to run on a cluster (slurm | ray): it need not fit this machine."""
    token = _CLUSTER.set(cluster)
    try:
        yield
    finally:
        _CLUSTER.reset(token)


def cluster() -> str:
    """Where what is composed now is to run: slurm, ray, or empty for this machine."""
    return _CLUSTER.get()


def num_micro_batches(hardware: Any) -> int:
    """Into how many shares each batch is asked to be cut; where devices are left to the machine, none is asked for."""
    return int((hardware.devices or 1) * hardware.nodes * hardware.accumulate)


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> int:
    """NVIDIA GPUs visible to this process, by device files and ``CUDA_VISIBLE_DEVICES``."""
    present = len(list(Path("/dev").glob("nvidia[0-9]*")))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return present
    listed = [word for word in visible.split(",") if word.strip() not in ("", "-1")]
    return min(present, len(listed))
