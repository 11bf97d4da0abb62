"""What the hardware options ask of a network: gradient checkpointing, compilation, sharding by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from tlx._compat.compiler import allow_recompiles, draw_as_eager
from tlx._compat.norms import BatchNorm
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.training.build import TrialComponents

if TYPE_CHECKING:
    pass


def apply_hardware_options(trial: Trial, built: TrialComponents) -> None:
    """Prepare the network as ``hardware`` asks; raises :class:`ConfigError` where it cannot."""
    hardware, model = trial.hardware, built.module.model
    followed = _followed_norms(built)
    if hardware.sync_batchnorm and built.machine.world > 1:
        if built.machine.accelerator != "gpu":
            raise ConfigError(
                [ConfigIssue("hardware.sync_batchnorm", "torch has it on GPUs only; leave it at false", True)]
            )
        from timm.layers import convert_sync_batchnorm

        model.backbone = convert_sync_batchnorm(model.get_submodule("backbone"))  # torch's own drops timm's activations
    if hardware.gradient_checkpointing:
        if followed:
            message = f"{followed} follows the data and would see each batch twice; freeze norms, or set it to false"
            raise ConfigError([ConfigIssue("hardware.gradient_checkpointing", message, True)])
        _checkpoint_gradients(model.get_submodule("backbone"))
    if hardware.distributed == "fsdp" and built.machine.world > 1:
        if followed and not hardware.sync_batchnorm:
            message = f"{followed} would differ between processes; freeze norms, use ddp, or sync_batchnorm on GPUs"
            raise ConfigError([ConfigIssue("hardware.distributed", message, "fsdp")])
        if (clip := trial.strategy.clip) is not None:
            message = "not with hardware.distributed=fsdp; use ddp, or leave it out"
            raise ConfigError([ConfigIssue("strategy.clip", message, clip)])
        built.module.shards = True
    if hardware.compile:
        sets = len({phase.trainable for phase in built.phases})
        allow_recompiles(2 * sets + 8)
        draw_as_eager()  # or the option would decide numbers, and not their last bits alone
        model.compile()


def _followed_norms(built: TrialComponents) -> str:
    """A BatchNorm whose statistics some phase lets follow the data; empty without one."""
    trained = {name for phase in built.phases for name in phase.trainable}
    always = built.module.strategy.frozen_norm == "train"
    for path, module in built.module.model.named_modules():
        if isinstance(module, BatchNorm) and module.track_running_stats:
            own = {f"{path}.{name}" for name, _ in module.named_parameters()}
            if always or not own or own & trained:
                return str(path)
    return ""


def _checkpoint_gradients(backbone: nn.Module) -> None:
    """Non-reentrant, as the other kind silently gives no gradients behind a frozen stage."""
    encoder: Any = getattr(backbone, "encoder", None)
    try:
        if hasattr(backbone, "set_grad_checkpointing"):
            from timm.layers import set_reentrant_ckpt

            set_reentrant_ckpt(False)
            backbone.set_grad_checkpointing(True)  # type: ignore[operator]
            return
        if hasattr(encoder, "gradient_checkpointing_enable"):
            encoder.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            return
        reason = f"{type(backbone).__name__} has none"
    except (AssertionError, ValueError, NotImplementedError) as error:
        reason = str(error) or "this network refuses it"
    raise ConfigError([ConfigIssue("hardware.gradient_checkpointing", f"not possible here: {reason}", True)])
