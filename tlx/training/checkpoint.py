"""What a trial leaves of its model: the tensors it trained and every buffer, as safetensors. And bringing it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tlx.backbones import weights
from tlx.config.errors import ConfigIssue, WeightsError
from tlx.files import durable, foreign
from tlx.strategies.sharded import is_sharded

_KNOWN = "tlx"


def tensors(model: nn.Module, trained: frozenset[str]) -> dict[str, Tensor]:
    """Copies of the trained parameters and of all buffers, on the CPU."""
    kept: dict[str, Tensor] = {name: model.get_parameter(name) for name in sorted(trained)}
    kept |= dict(model.named_buffers())
    return {name: whole(tensor) for name, tensor in kept.items()}


def whole(tensor: Tensor) -> Tensor:
    """A copy on the CPU; of a sharded tensor, of all its shards (every process must ask)."""
    if is_sharded(tensor):
        tensor = tensor.full_tensor()
    return tensor.detach().cpu().clone().contiguous()


def restore(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put :func:`tensors` back."""
    own: dict[str, Tensor] = {**dict(model.named_parameters()), **dict(model.named_buffers())} if state else {}
    with torch.no_grad():
        for name, tensor in state.items():
            there = own[name]
            if is_sharded(there):
                from torch.distributed.tensor import distribute_tensor

                everywhere = {"src_data_rank": None}  # every process has the whole of it: nothing is sent
                tensor = distribute_tensor(tensor.to(there.device), there.device_mesh, there.placements, **everywhere)
            there.copy_(tensor)


def origin(layout: str, sums: Mapping[str, int]) -> str:
    """What a checkpoint can only be put into: a hash of the stages' digest and the checksums of all weights."""
    return hashlib.sha256(json.dumps([layout, sorted(sums.items())]).encode()).hexdigest()


def save(path: Path, state: dict[str, Tensor], origin: str) -> None:
    """Write atomically, with the :func:`origin` of the model before training and a hash of the tensors."""
    known = {"origin": origin, "sum": weights.content(state)}
    with durable.replacing_aside(path) as partial:
        save_file(state, partial, metadata={_KNOWN: json.dumps(known)})  # one entry: several are kept in no fixed order


def opened(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Origin and tensors."""
    try:
        foreign.reading(path).close()  # no link, no pipe
        with safe_open(path, framework="pt") as file:
            known = foreign.json_value((file.metadata() or {})[_KNOWN])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        origin, sound = str(known["origin"]), known["sum"] == weights.content(state)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        message = f"cannot be read: {(str(error) or type(error).__name__).splitlines()[0]}"
        raise WeightsError([ConfigIssue("checkpoint", message, str(path))]) from error
    if not sound:
        raise WeightsError(
            [ConfigIssue("checkpoint", "is not what was written: its tensors have other bits", str(path))]
        )
    return origin, state
