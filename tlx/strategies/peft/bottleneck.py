"""Bottleneck adapters: a small network after each block, added to its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from tlx.backbones.partition.dry_run import first_use
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.strategy_parts import Peft
from tlx.strategies.peft.injection import match
from tlx.strategies.peft.virtual_tokens import text_encoder

NAME = "bottleneck_adapter"


class Bottleneck(nn.Module):
    """``x + up(gelu(down(x)))`` over the features along ``dim``; ``up`` starts at zero, so nothing changes at first.

    Houlsby et al. 2019 (arXiv:1902.00751), once per block as in Pfeiffer et al. 2021 (arXiv:2005.00247).
    """

    def __init__(self, width: int, rank: int, dim: int = -1, dropout: float = 0.0) -> None:
        super().__init__()
        self.dim = dim
        self.down = nn.Linear(width, rank)
        self.up = nn.Linear(rank, width)
        self.dropout = nn.Dropout(dropout)  # last: a module without parameters trains if the one before it does
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Features of any shape to features of the same shape."""
        change: Tensor = self.up(self.dropout(F.gelu(self.down(x.movedim(self.dim, -1)))))
        return x + change.movedim(-1, self.dim)


def attach(
    backbone: nn.Module, blocks: Sequence[Sequence[nn.Parameter]], options: Peft, example: Mapping[str, Any]
) -> None:
    """Put a :class:`Bottleneck` after each block, or after each outermost module that a target finds.

    ``blocks`` holds the parameters of each, ``example`` arguments of the backbone's forward. It is a child of the block
    and runs in a forward hook, so no name changes. How wide an output is, and along which dimension, comes from a dry
    run.
    """
    if options.target:
        found = match(options.target, [path for path, _ in backbone.named_modules() if path], "module")
        paths = [path for path in found if not any(path.startswith(f"{other}.") for other in found)]
    else:
        paths = [_module(backbone, {id(parameter) for parameter in block}) for block in blocks]
    paths = [_callable(backbone, path) for path in paths]
    axes = _axes(backbone, paths, example)
    for path, (width, dim) in axes.items():
        block = backbone.get_submodule(path)
        block.add_module(NAME, Bottleneck(width, options.rank, dim, options.dropout))
        block.register_forward_hook(_adapt)


def _adapt(block: nn.Module, _: Any, output: Any) -> Any:
    """The forward hook of a block. A function, so that copies of the block use their own adapter."""
    adapter = block.get_submodule(NAME)
    if isinstance(output, tuple):
        return (adapter(output[0]), *output[1:])
    return adapter(output)


def _module(backbone: nn.Module, block: set[int]) -> str:
    """The path of the largest module that consists of nothing but this block's parameters."""
    best, size = "", 0
    for path, module in backbone.named_modules():
        own = list(module.parameters())
        count = sum(parameter.numel() for parameter in own)
        if count > size and all(id(parameter) in block for parameter in own):
            best, size = path, count
    return best


def _callable(backbone: nn.Module, path: str) -> str:
    """The last child of a list or sequence: the first is never called, the second would call a new child itself."""
    module = backbone.get_submodule(path)
    while isinstance(module, (nn.ModuleList, nn.Sequential)) and len(module):
        name, module = list(module.named_children())[-1]
        path = f"{path}.{name}" if path else name
    return path


def _axes(backbone: nn.Module, paths: Sequence[str], example: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Width and dimension of the features that each of these modules puts out."""
    encoder = text_encoder(backbone)
    if encoder is not None:
        settings: Any = encoder.config
        return dict.fromkeys(paths, (int(settings.hidden_size), -1))
    shapes = _shapes(backbone, paths, example)
    return {path: _axis(shape, backbone.get_submodule(path)) for path, shape in shapes.items()}


def _axis(shape: torch.Size, block: nn.Module) -> tuple[int, int]:
    """Of [B, C, H, W] and [B, H, W, C] the one whose C is the length of more norms and biases of the block."""
    lengths = [len(parameter) for parameter in block.parameters() if parameter.ndim == 1]
    last = len(shape) < 4 or lengths.count(shape[-1]) > lengths.count(shape[1])
    return (shape[-1], -1) if last else (shape[1], 1)


def _shapes(backbone: nn.Module, paths: Sequence[str], example: Mapping[str, Any]) -> dict[str, torch.Size]:
    """Output shapes in a run that computes nothing else; raises :class:`ConfigError` where there is none."""
    shapes: dict[str, torch.Size] = {}

    def note(path: str) -> RemovableHandle:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            features = output[0] if isinstance(output, tuple) else output
            if isinstance(features, Tensor):
                shapes[path] = features.shape

        return backbone.get_submodule(path).register_forward_hook(hook)

    handles = [note(path) for path in dict.fromkeys(paths)]
    first_use(backbone, example)
    for handle in handles:
        handle.remove()
    lost = [path for path in paths if path not in shapes]
    if lost:
        message = f"{lost[0]} has no single output; name other modules in strategy.peft.target"
        raise ConfigError([ConfigIssue("strategy.peft.kind", message, "bottleneck")])
    return shapes
