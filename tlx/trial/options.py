"""What a person can say about the hardware a trial runs on."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import aside, choice


@dataclass
class Hardware:
    """Where a trial runs. Only the precision decides its numbers."""

    accelerator: str = aside("auto")  # auto | cpu | gpu | mps
    # processes, one device each; null: all GPUs under `auto`, else 1
    devices: int | None = aside(None)
    precision: str = choice("32-true", "bf16-mixed", "16-mixed", "64-true")
    # CPU threads of one process; null: every core for a single trial, one each in a sweep
    threads: int | None = aside(None)
    # processes that load data, per device
    workers: int = aside(0)
    # batches summed into one optimizer step; the batch size is divided by it
    accumulate: int = aside(1)
