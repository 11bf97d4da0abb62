"""The proof before anything is replayed: on a first batch, replay and full forward pass must agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tlx._compat.pytree import tree_leaves
from tlx.feature_cache.cut import NotCacheable, OutputSpec
from tlx.feature_cache.features import Features
from tlx.feature_cache.replay import Replay, recording
from tlx.feature_cache.writer import WritePass

COUNT = 16  # examples looked at; from as many on, CPU kernels give a row the same bits in every batch
_ROUNDING = {torch.float64: 1e-14, torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 2e-2}
_TF32 = 2e-3  # what GPUs may make of float32


def check(replay: Replay, features: Sequence[Features], over: WritePass, model: nn.Module) -> float:
    """Largest difference between what is kept and what is computed now, as a share of the largest value; 0 is exact.

    Kept values may differ by rounding, as they were computed in another batch. Replaying what was computed in this
    one must give the network's output bit for bit on a CPU. Raises :class:`NotCacheable` otherwise.
    """
    count = min(COUNT, len(over.items))
    first = replace(over, items=list(over.items[:count]), batch=count)
    batch, _, lengths = next(first.batches(0, count))
    with torch.no_grad(), _evaluating(model), over.autocast():
        with recording(model, replay.cut.sites) as now:
            full = _tensor(model(batch.inputs))
        now = {site: _as_kept(replay.cut.leaves[site], tensors, lengths) for site, tensors in now.items()}
        with replay.replaying({site: [t.clone() for t in tensors] for site, tensors in now.items()}):
            played = _tensor(model(over.light(batch).inputs))
        turned = {site: _turned(replay.cut.leaves[site], tensors) for site, tensors in now.items()}
        with replay.replaying(turned):  # backwards, so that nothing a module remembers of the batch before fits
            other = over.light(batch).map(lambda tensor: tensor.flip(0))
            backwards = _tensor(model(other.inputs)).flip(0)
    exact = over.device.type == "cpu"
    if not (torch.equal(full, played) if exact else _close(full, played)) or not _close(full, backwards):
        worst = max(float((full.float() - one.float()).abs().max()) for one in (played, backwards))
        raise NotCacheable(f"replaying it changes the network's output by up to {worst:.2g}")
    rows = np.arange(count, dtype=np.int64)
    worst = 0.0
    for site, read in zip(replay.cut.sites, features, strict=True):
        for kept, computed in zip(read.take(rows), now[site], strict=True):
            kept = kept.to(over.device)
            if kept.shape != computed.shape or kept.dtype != computed.dtype:
                raise NotCacheable(f"what is kept of {site} is {list(kept.shape)}, not {list(computed.shape)}")
            if not kept.is_floating_point():
                if not torch.equal(kept, computed):
                    raise NotCacheable(f"what is kept of {site} is not what it gives now")
                continue
            largest = float(computed.double().abs().max()) or 1.0
            share = float((kept.double() - computed.double()).abs().max()) / largest
            allowed = max(_ROUNDING[kept.dtype], _TF32 if over.device.type != "cpu" else 0.0)
            if not share <= allowed:
                raise NotCacheable(f"what is kept of {site} differs by {share:.2g} of the largest value")
            worst = max(worst, share)
    return worst


def _as_kept(leaves: Sequence[OutputSpec], tensors: Sequence[Tensor], lengths: Sequence[int] | None) -> list[Tensor]:
    """What was recorded, as the store gives it back: zeros where a text has no token."""
    found = []
    for leaf, tensor in zip(leaves, tensors, strict=True):
        if leaf.kind == "tokens" and lengths is not None:
            there = (
                torch.arange(tensor.shape[1], device=tensor.device) < torch.tensor(lengths).to(tensor.device)[:, None]
            )
            tensor = tensor.masked_fill(~there.view(*there.shape, *[1] * (tensor.ndim - 2)), 0)
        found.append(tensor)
    return found


def _turned(leaves: Sequence[OutputSpec], tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same of the batch in reverse."""
    return [t.clone() if leaf.kind == "shared" else t.flip(0) for leaf, t in zip(leaves, tensors, strict=True)]


def _close(full: Tensor, other: Tensor) -> bool:
    tolerance = max(_ROUNDING[full.dtype] * 10, _TF32 if full.device.type != "cpu" else 0.0)
    return bool(torch.allclose(full, other, rtol=tolerance, atol=tolerance * float(full.abs().max())))


def _tensor(output: Any) -> Tensor:
    """A network's output as one tensor."""
    return torch.cat([leaf.flatten(1) for leaf in tree_leaves(output) if isinstance(leaf, Tensor)], dim=1)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode everywhere while inside."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
