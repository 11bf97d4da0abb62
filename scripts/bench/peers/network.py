"""What the peers share: a frozen backbone with a linear head, of which parts may train."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class TextEncoder(nn.Module):
    """Token states averaged over the mask."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(1) / mask.sum(1).clamp(min=1)


class Classifier(nn.Module):
    """A backbone and a linear head. ``live`` names the parts of the backbone that train; the rest stays in eval."""

    def __init__(self, backbone: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(width, classes)
        self.live: list[str] = []

    def features(self, *inputs: Tensor) -> Tensor:
        if inputs[0].ndim == 4:
            inputs = (inputs[0].contiguous(memory_format=torch.channels_last),)
        return self.backbone(*inputs)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.head(self.features(*inputs))

    def train(self, mode: bool = True) -> Classifier:
        super().train(mode)
        self.backbone.eval()
        for part in map(self.part, self.live):
            if isinstance(part, nn.Module):
                part.train(mode)
        return self

    def part(self, path: str) -> Any:
        """A module or a parameter of the backbone."""
        above, _, name = path.rpartition(".")
        return getattr(self.backbone.get_submodule(above), name)

    def thaw(self, paths: Iterable[str]) -> list[nn.Parameter]:
        """Let these parts train as well; returns their parameters."""
        parts = [self.part(path) for path in paths]
        self.live += paths
        found = [p for part in parts for p in ([part] if isinstance(part, nn.Parameter) else part.parameters())]
        for parameter in found:
            parameter.requires_grad = True
        self.train(self.training)
        return found
