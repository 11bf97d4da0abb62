"""What a person can say about the callbacks that tlx brings; others bring their own."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import option


@dataclass
class GradientNorm:
    """Records the norm of the gradients of each stage, as ``grad_norm/<stage>``."""

    every: int = option(50, "optimizer steps between looks", above=0)
