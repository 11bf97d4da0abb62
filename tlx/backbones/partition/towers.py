"""Parallel towers: the two encoders of a CLIP-like network, neither of which feeds the other.

A network says that it is one by giving the features of each side: ``get_text_features`` beside
``get_image_features``, ``get_audio_features`` or ``get_video_features``. A language model that reads images gives
those of the image only, and is one tower: the image goes through both. So is a network of three encoders or more,
where some work on what others made.
"""

from __future__ import annotations

from torch import nn

from tlx.backbones.partition.blocks import block_prefixes

_OTHERS = ("get_image_features", "get_audio_features", "get_video_features")


def towers(model: nn.Module) -> list[str]:
    """Paths of the two parallel towers; empty for a network of one tower."""
    for path, module in model.named_modules():
        if hasattr(module, "get_text_features") and any(hasattr(module, name) for name in _OTHERS):
            children = [f"{path}.{name}".lstrip(".") for name, _ in module.named_children()]
            found = [child for child in children if any(True for _ in block_prefixes(model.get_submodule(child)))]
            if len(found) == 2:
                return found
    return []
