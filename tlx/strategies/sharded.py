"""Networks of which each process holds a part (FSDP)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeGuard

from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor


def is_sharded(tensor: Tensor) -> TypeGuard[DTensor]:
    """Is this tensor spread over processes?

    ``torch.distributed.tensor`` is not imported for the question, which takes as long as torch itself: while nobody has
    imported it, no tensor is of its kind.
    """
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def shard(model: nn.Module, stages: list[str], mesh: DeviceMesh) -> None:
    """FSDP2: every stage that is a block is a unit of its own, the rest of the network another. Again is harmless."""
    from torch.distributed.fsdp import FSDPModule, fully_shard

    if isinstance(model, FSDPModule):
        return
    known = dict(model.named_modules())
    for stage in stages:
        block = known.get(f"backbone.{stage}")
        if block is not None and any(True for _ in block.parameters()):
            fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh, reshard_after_forward=True)  # else the outermost would be left whole for a while
