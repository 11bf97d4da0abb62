"""What every family builds: a network without a head, its width, what it is fed, and what its weights matched."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from tlx.backbones import weights
from tlx.backbones.input_spec import InputSpec


@dataclass
class Loaded:
    """A backbone ready for a head: ``module(**inputs)`` gives features [batch, width]."""

    module: nn.Module
    width: int
    spec: InputSpec
    match: weights.LoadReport | None = None  # how the pretrained weights fitted; None when there are none
