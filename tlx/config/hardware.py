"""What a person can say about the hardware a trial runs on."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import option


@dataclass
class Checkpoint:
    """When a trial's state is saved, from which it goes on after an interruption, and what is kept of it at its end.

    A state is saved after a validation.
    """

    every_minutes: float | None = option(
        1.0, "minutes between saved states (0: every validation; null: not by time)", runtime_only=True, least=0
    )
    every_steps: int | None = option(
        None, "optimizer steps between saved states, at the least (null: not by steps)", runtime_only=True, above=0
    )
    frozen: str = option(
        help="tensors that never trained: stored in the run folder, or referenced by their hash and where they came "
        "from; auto: stored up to 16 MB",
        choices=("auto", "stored", "referenced"),
        runtime_only=True,
    )


_DEEPSPEED = {
    "deepspeed": "is not supported: it keeps one flat buffer of what trains, which cannot follow phases that freeze "
    "and thaw; use fsdp, which shards weights, gradients and the optimizer's state as ZeRO 3 does"
}


@dataclass
class Hardware:
    """Where a trial runs. Its numbers are decided by the precision, and by how many shares a batch is cut into.

    The other settings may change their last bits, by rounding.
    """

    accelerator: str = option(
        help="auto: a GPU where there is one", choices=("auto", "cpu", "gpu", "mps"), rounding_only=True
    )
    devices: int | None = option(
        None,
        "processes of a machine, one device each; null: all GPUs under `auto` (1 in a sweep), else 1",
        rounding_only=True,
    )
    nodes: int = option(1, "machines; more than one on Slurm only (hydra/launcher=slurm)", rounding_only=True)
    precision: str = option(
        help="of the arithmetic, as Lightning calls it", choices=("32-true", "bf16-mixed", "16-mixed", "64-true")
    )
    threads: int | None = option(
        None,
        "CPU threads of one process; null: every core for a single trial, one each in a sweep",
        rounding_only=True,
        above=0,
    )
    workers: int | None = option(
        None,
        "processes that load data, per device; null: on a GPU all but one of the cores that it can have, at most 16; "
        "on a CPU none",
        runtime_only=True,
        least=0,
    )
    image_memory: float = option(
        1.0,
        "GiB, half for train and half for val: images that fit are decoded once and kept; where those of all files "
        "fit, other trials find them in the store of reuse, unless reuse=off",
        runtime_only=True,
        least=0,
    )
    accumulate: int = option(
        1,
        "shares of a batch that a device takes one after the other, for one optimizer step",
        rounding_only=True,
        above=0,
    )
    deterministic: str = option(
        help="kernels of a GPU that give the same bits each time: warn where torch has none, always "
        "(an error there), or never",
        choices=("warn", "always", "never"),
        rounding_only=True,
    )
    sync_batchnorm: bool = option(False, "BatchNorm statistics over all processes")
    compile: bool = option(False, "torch.compile the network", rounding_only=True)
    gradient_checkpointing: bool = option(
        False, "recompute activations in the backward pass instead of keeping them", rounding_only=True
    )
    distributed: str = option(
        help="how several processes share the work: ddp copies the network, fsdp shards it by stage (FSDP2)",
        choices=("ddp", "fsdp"),
        rounding_only=True,
        refused=_DEEPSPEED,
    )
