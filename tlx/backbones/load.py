"""A backbone from its configuration."""

from __future__ import annotations

from tlx.backbones import weights
from tlx.backbones.backbone import Loaded
from tlx.config.backbone import Backbone, BytesBackbone, PixelsBackbone, TimmBackbone, TransformersBackbone


def load(
    config: Backbone, *, channels: int = 3, pretrained: bool = True, read: weights.Reader = weights.read
) -> Loaded:
    """Build the backbone and load its weights; raises :class:`~tlx.config.errors.WeightsError`.

    ``pretrained=False`` leaves the random initialisation. Inside ``torch.device("meta")`` nothing is allocated.
    ``read`` turns what ``weights`` names into tensors; the trial room's also knows earlier trials.
    """
    if isinstance(config, TimmBackbone):
        from tlx.backbones.families import timm_images

        return timm_images.load(config, channels=channels, pretrained=pretrained, read=read)
    if isinstance(config, TransformersBackbone):
        from tlx.backbones.families import transformers_texts

        return transformers_texts.load(config, pretrained=pretrained, read=read)
    if isinstance(config, BytesBackbone):
        from tlx.backbones.families import bytes_texts

        return bytes_texts.load(config, pretrained=pretrained, read=read)
    if isinstance(config, PixelsBackbone):
        from tlx.backbones.families import pixels

        return pixels.load(config, channels=channels)
    raise TypeError(f"no loader for {type(config).__name__}")
