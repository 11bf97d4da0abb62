"""The proof before anything is replayed: on a first batch, replay and full forward pass must agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from tlx.reuse.cut import Refused
from tlx.reuse.features import Features
from tlx.reuse.filling import Pass
from tlx.reuse.replay import Replay, recording

COUNT = 16  # examples looked at; from as many on, CPU kernels give a row the same bits in every batch
_ROUNDING = {torch.float64: 1e-14, torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 2e-2}
_TF32 = 2e-3  # what GPUs may make of float32


def check(replay: Replay, features: Sequence[Features], over: Pass, model: nn.Module) -> float:
    """Largest difference between what is kept and what is computed now, as a share of the largest value; 0 is exact.

    Kept values may differ by rounding, as they were computed in another batch. Replaying what was computed in this
    one must give the network's output bit for bit on a CPU. Raises :class:`Refused` otherwise.
    """
    count = min(COUNT, len(over.items))
    batch, _, lengths = Pass(**{**vars(over), "items": list(over.items[:count]), "batch": count}).load(0, count)
    backwards = {name: value.flip(0) if isinstance(value, Tensor) else value for name, value in batch.items()}
    with torch.no_grad(), _evaluating(model), over.autocast():
        with recording(model, replay.cut.sites) as now:
            full = _tensor(model(batch))
        turned = {
            site: [
                tensor if leaf.kind == "shared" else tensor.flip(0)
                for leaf, tensor in zip(replay.cut.leaves[site], tensors, strict=True)
            ]
            for site, tensors in now.items()
        }
        with replay.playing(turned):  # backwards, so that nothing a module remembers of the batch before fits
            played = _tensor(model({name: value for name, value in backwards.items() if name != "x"})).flip(0)
    if not _same(full, played, over.device):
        worst = float((full.float() - played.float()).abs().max())
        raise Refused(f"replaying it changes the network's output by up to {worst:.2g}")
    rows = np.arange(count, dtype=np.int64)
    worst = 0.0
    for site, read in zip(replay.cut.sites, features, strict=True):
        for leaf, kept, computed in zip(replay.cut.leaves[site], read.take(rows), now[site], strict=True):
            kept, computed = kept.to(over.device), computed.clone()
            if leaf.kind == "tokens" and lengths is not None:
                for row, length in enumerate(lengths):
                    computed[row, length:] = 0
            if kept.shape != computed.shape or kept.dtype != computed.dtype:
                raise Refused(f"what is kept of {site} is {list(kept.shape)}, not {list(computed.shape)}")
            if not kept.is_floating_point():
                if not torch.equal(kept, computed):
                    raise Refused(f"what is kept of {site} is not what it gives now")
                continue
            largest = float(computed.double().abs().max()) or 1.0
            share = float((kept.double() - computed.double()).abs().max()) / largest
            allowed = max(_ROUNDING[kept.dtype], _TF32 if over.device.type != "cpu" else 0.0)
            if not share <= allowed:
                raise Refused(f"what is kept of {site} differs by {share:.2g} of the largest value")
            worst = max(worst, share)
    return worst


def _same(full: Tensor, played: Tensor, device: torch.device) -> bool:
    if device.type == "cpu":
        return torch.equal(full, played)
    tolerance = max(_ROUNDING[full.dtype], _TF32)
    return bool(torch.allclose(full, played, rtol=tolerance, atol=tolerance))


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
