"""Frozen means frozen: no gradients, eval mode, and a proof after each phase that nothing moved.

The audit hashes every parameter and buffer. It caught what logs never show: BatchNorm statistics that follow the
data under ``requires_grad=False``, and a "frozen" tensor shared with a trained one.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from tlx.strategies.selectors import is_norm
from tlx.strategies.sharded import is_sharded


class AuditError(RuntimeError):
    """A frozen tensor moved, or a trained one did not."""


def freeze(model: nn.Module, trainable: frozenset[str], frozen_norm: str = "eval") -> None:
    """Let exactly ``trainable`` learn; modules whose parameters are all frozen go into eval mode, the rest train.

    A module without parameters (dropout, pooling) belongs with the parameters registered before it.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trainable)
        if name not in trainable:
            parameter.grad = None  # a zero gradient would still be moved by momentum and decay
    set_modes(model, frozen_norm)


def set_modes(model: nn.Module, frozen_norm: str = "eval") -> None:
    """Eval mode where everything is frozen, train mode elsewhere."""
    found: dict[nn.Module, bool | None] = {}
    _learns(model, found)
    learning = False  # does what came before learn?
    for module in model.modules():
        own = found[module]
        learning = learning if own is None else own
        mode = learning or (frozen_norm == "train" and is_norm(module))
        if module.training != mode:  # setting an attribute of a module is slow
            module.training = mode


def _learns(module: nn.Module, found: dict[nn.Module, bool | None]) -> bool | None:
    """Does a parameter of the module or of those within learn? None without parameters. ``found``: of each."""
    if module not in found:
        parts = [parameter.requires_grad for parameter in module.parameters(recurse=False)]
        parts += [own for child in module.children() if (own := _learns(child, found)) is not None]
        found[module] = any(parts) if parts else None
    return found[module]


def checksums(model: nn.Module) -> dict[str, int]:
    """A CRC of the bytes of every parameter and buffer."""
    tensors: dict[str, Tensor] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    own = {name: _held(tensor) for name, tensor in tensors.items()}
    return {name: _checksum(tensor.detach()) for name, tensor in own.items() if tensor.numel()}


def _held(tensor: Tensor) -> Tensor:
    """What this process has of a tensor: of a sharded one, its shard, for which it answers alone."""
    return tensor.to_local() if is_sharded(tensor) else tensor


def _checksum(tensor: Tensor) -> int:
    flat = tensor.cpu().contiguous().as_strided((tensor.numel(),), (1,)).view(torch.uint8)  # one value has any stride
    return zlib.crc32(flat.numpy().data)  # not torch.hash_tensor: its XOR cannot see 64 equal values become 64 others


def audit(model: nn.Module, before: Mapping[str, int], frozen_norm: str = "eval") -> list[str]:
    """Raise :class:`AuditError` if anything frozen moved since ``before``, or anything trainable did not.

    A tensor that did get a gradient in the last step, but one too small for its values, is fine. So is one whose
    gradient was exactly zero, as what its branch is multiplied by was all zero when the last step began: a norm's
    scale at the end of a residual branch, a layer scale, LoRA's second matrix.

    Returns:
        The names of those behind such a zero.
    """
    after = checksums(model)
    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    fixed = {name for name, _ in model.named_parameters()} - trainable
    for path, module in model.named_modules():
        stays = not module.training and not (frozen_norm == "train" and is_norm(module))
        if stays:
            prefix = f"{path}." if path else ""
            fixed |= {f"{prefix}{name}" for name, _ in module.named_buffers(recurse=False)}
    moved = sorted(name for name in fixed & before.keys() if after[name] != before[name])
    own = dict(model.named_parameters())
    still = sorted(
        name for name in trainable & before.keys() if after[name] == before[name] and not _too_small(own[name])
    )
    waiting = _behind_zeros(model, [name for name in still if _is_zero(own[name].grad)], before, after)
    still = [name for name in still if name not in waiting]
    if moved:
        raise AuditError(f"{len(moved)} frozen tensors moved, first {moved[0]}")
    if still:
        count = f"{len(still)} of {len(trainable)} trained tensors did not move, first {still[0]}"
        overflown = any(
            (gradient := own[name].grad) is not None and not bool(gradient.isfinite().all()) for name in still
        )
        why = _OVERFLOW if overflown else _NO_GRADIENT
        raise AuditError(f"{count}: {why}; strategy.audit=off goes on")
    return waiting


def _behind_zeros(
    model: nn.Module, names: Sequence[str], before: Mapping[str, int], after: Mapping[str, int]
) -> list[str]:
    """Those in a module that also holds a factor which was all zero ``before``, and has moved."""
    own = dict(model.named_parameters()) if names else {}
    places: set[str] = set()
    for name, parameter in own.items():
        if before.get(name) == after.get(name) or name.rpartition(".")[2] == "bias":  # a sum lets gradients through
            continue
        if before[name] == _checksum(torch.zeros_like(_held(parameter.detach()), device="cpu")):
            place = name.rpartition(".")[0].rpartition(".")[0]
            while place and isinstance(model.get_submodule(place), (nn.ModuleDict, nn.ModuleList, nn.Sequential)):
                place = place.rpartition(".")[0]
            places.add(f"{place}." if place else "")
    return [name for name in names if any(name.startswith(place) for place in places)]


def _is_zero(gradient: Tensor | None) -> bool:
    """Is there a gradient, and is it exactly zero?"""
    return gradient is not None and not bool(_held(gradient).any())


_OVERFLOW = "their gradients overflowed in every step, which was left out; hardware.precision=bf16-mixed has the range"
_NO_GRADIENT = "no gradient reached them (does a frozen norm of zeros, as in untrained networks, let none through?)"


def _too_small(parameter: nn.Parameter) -> bool:
    """Is there a gradient, but one that a step rounds away beside values of this size?"""
    if parameter.grad is None or not bool(_held(parameter.grad).any()):
        return False
    gradient = _held(parameter.grad)
    grain = torch.finfo(parameter.dtype).eps * _held(parameter.detach()).abs()
    return bool((gradient.abs() <= _NOTABLE * grain).all())


_NOTABLE = 1e3  # a gradient of this many grains moves a value at any usual learning rate
