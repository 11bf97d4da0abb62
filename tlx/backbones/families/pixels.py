"""The image itself as features: no parameters, nothing learned."""

from __future__ import annotations

from torch import Tensor, nn

from tlx.backbones import weights
from tlx.backbones.backbone import Loaded
from tlx.backbones.input_spec import ImageSpec, per_channel
from tlx.config.backbone import PixelsBackbone


class Pixels(nn.Module):
    """Flatten the image."""

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to [batch, channels * height * width]."""
        return x.flatten(1)


def load(config: PixelsBackbone, *, channels: int, pretrained: bool, read: weights.Reader) -> Loaded:
    """Raw pixels at the size, mean and std of the configuration."""
    size = config.input.size or 8
    spec = ImageSpec(
        channels=channels,
        height=size,
        width=size,
        mean=per_channel(tuple(config.input.mean or (0.0,)), channels),
        std=per_channel(tuple(config.input.std or (1.0,)), channels),
        interpolation=config.input.interpolation or "bilinear",
    )
    return Loaded(Pixels(), channels * size * size, spec)
