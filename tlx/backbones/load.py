"""A backbone from its configuration."""

from __future__ import annotations

from tlx.backbones import weights
from tlx.backbones.backbone import Loaded
from tlx.components.registry import component
from tlx.config.backbone import Backbone

TOKENS = 128  # of a text, where shapes alone are looked at and the backbone sets no length


def load(
    config: Backbone, *, channels: int = 3, pretrained: bool = True, read: weights.Reader = weights.read
) -> Loaded:
    """Build the backbone and load its weights; raises :class:`~tlx.config.errors.WeightsError`.

    ``pretrained=False`` leaves the random initialisation. Inside ``torch.device("meta")`` nothing is allocated.
    ``read`` turns what ``weights`` names into tensors; the trial room's also knows earlier trials.
    """
    found: Loaded = component("backbone", config.kind).function()(
        config, channels=channels, pretrained=pretrained, read=read
    )
    return found


def outline(config: Backbone, *, channels: int) -> Loaded:
    """Build the backbone for a look at its shapes, on the meta device: nothing is fetched or read."""
    family = component("backbone", config.kind)
    if "outline" in family.functions:
        found: Loaded = family.function("outline")(config, channels=channels, tokens=TOKENS)
        return found
    return load(config, channels=channels, pretrained=False)
