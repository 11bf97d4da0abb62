"""What a person can say about the hardware a trial runs on."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import aside, choice


@dataclass
class Checkpoint:
    """When a trial's state is saved, from which it goes on after an interruption; always after a validation."""

    # minutes between saved states (0: every validation; null: not by time)
    every_minutes: float | None = aside(1.0)
    # optimizer steps between saved states, at the least (null: not by steps)
    every_steps: int | None = aside(None)


_DEEPSPEED = {
    "deepspeed": "is not supported: it keeps one flat buffer of what trains, which cannot follow phases that freeze "
    "and thaw; use fsdp, which shards weights, gradients and the optimizer's state as ZeRO 3 does"
}


@dataclass
class Hardware:
    """Where a trial runs. Its numbers are decided by the precision, and by how many shares a batch is cut into."""

    accelerator: str = aside("auto")  # auto | cpu | gpu | mps
    # processes of a machine, one device each; null: all GPUs under `auto` (1 in a sweep), else 1
    devices: int | None = aside(None)
    # machines; more than one on Slurm only (hydra/launcher=slurm)
    nodes: int = aside(1)
    precision: str = choice("32-true", "bf16-mixed", "16-mixed", "64-true")
    # CPU threads of one process; null: every core for a single trial, one each in a sweep
    threads: int | None = aside(None)
    # processes that load data, per device
    workers: int = aside(0)
    # shares of a batch that a device takes one after the other, for one optimizer step
    accumulate: int = aside(1)
    # kernels of a GPU that give the same bits each time: warn where torch has none, always (an error there), or never
    deterministic: str = choice("warn", "always", "never", aside=True)
    # BatchNorm statistics over all processes
    sync_batchnorm: bool = False
    # torch.compile the network
    compile: bool = aside(False)
    # recompute activations in the backward pass instead of keeping them
    gradient_checkpointing: bool = aside(False)
    # how several processes share the work: ddp copies the network, fsdp shards it by stage (FSDP2)
    distributed: str = choice("ddp", "fsdp", aside=True, refused=_DEEPSPEED)
