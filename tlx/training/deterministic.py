"""The same bits from the same GPU: torch's deterministic kernels, where it has them, for as long as a trial runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from tlx.training.machine import Machine


@contextmanager
def deterministic(machine: Machine, wanted: str) -> Iterator[None]:
    """On a GPU: ``warn`` of operations that have none, ``always`` refuse them, or ``never`` ask for such kernels.

    Attention has some, which torch takes under ``always`` alone. Switches are put back afterwards.

    On a CPU nothing is switched: with the same number of threads its kernels give the same bits anyway, and torch would
    fill every new tensor. cuBLAS reads its variable when it starts (https://docs.nvidia.com/cuda/cublas, "Results
    reproducibility"), so it stays set.
    """
    if machine.accelerator != "gpu" or wanted == "never":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    tensors: Any = torch.utils.deterministic
    fills, benchmarks = tensors.fill_uninitialized_memory, torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=wanted == "warn")
    tensors.fill_uninitialized_memory = False  # a guard for debugging, paid for at every step
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        tensors.fill_uninitialized_memory = fills
        torch.backends.cudnn.benchmark = benchmarks
