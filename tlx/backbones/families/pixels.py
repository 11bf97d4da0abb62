"""The image itself as features: no parameters, nothing learned."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from tlx.backbones import weights
from tlx.backbones.backbone import Backbone
from tlx.columns import Column, Image
from tlx.columns.input_spec import ImageSpec, per_channel
from tlx.columns.schema import image
from tlx.config.backbone import PixelsBackbone


class Pixels(nn.Module):
    """Flatten the image."""

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to [batch, channels * height * width]."""
        return x.flatten(1)


def load(config: PixelsBackbone, *, columns: Mapping[str, Column], pretrained: bool, read: weights.Reader) -> Backbone:
    """Raw pixels at the size, mean and std of the configuration."""
    images = image(columns) or Image("image", channels=3)
    size, channels = config.input.size or 8, images.channels
    spec = ImageSpec(
        channels=channels,
        height=size,
        width=size,
        mean=per_channel(config.input.mean or (), [0.0] * channels, channels, images.mean),
        std=per_channel(config.input.std or (), [1.0] * channels, channels, images.std),
        interpolation=config.input.interpolation or "bilinear",
    )
    return Backbone(Pixels(), channels * size * size, {"x": spec})
