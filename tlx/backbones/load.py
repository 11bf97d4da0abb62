"""A backbone from its configuration."""

from __future__ import annotations

from collections.abc import Mapping

from tlx.backbones import weights
from tlx.backbones.backbone import Backbone
from tlx.columns import Column, Image
from tlx.components.registry import component
from tlx.config import backbone as options
from tlx.config.errors import ConfigIssue, WeightsError

TOKENS = 128  # of a text, where shapes alone are looked at and the backbone sets no length
Columns = Mapping[str, Column]
_COLOUR: Columns = {"image": Image("image", channels=3)}


def load(
    config: options.Backbone,
    *,
    columns: Columns = _COLOUR,
    pretrained: bool = True,
    read: weights.Reader = weights.read,
) -> Backbone:
    """Build the backbone and load its weights: those that its family has not loaded, and so says nothing of, itself.

    Args:
        config: Its options.
        columns: The inputs of the data by name, of which it may take its own shape, such as the channels of images.
        pretrained: False leaves the random initialisation. Inside ``torch.device("meta")`` nothing is allocated.
        read: Turns what ``weights`` names into tensors; that of training also knows earlier trials.

    Raises:
        WeightsError: The weights cannot be had, or do not fit.
    """
    found: Backbone = component("backbone", config.kind).function()(
        config, columns=columns, pretrained=pretrained, read=read
    )
    if pretrained and found.match is None and config.weights != "none":
        if config.weights == "hub":
            message = f"backbone={config.kind} knows of none; expected none, a path, trial:<experiment> or mlflow:<run>"
            raise WeightsError([ConfigIssue("backbone.weights", message, config.weights)])
        state = weights.strip(read(config.weights), found.module.state_dict(), config.weights_prefix)
        found.match = weights.fill(found.module, state, config.weights, config.weights_prefix)
    return found


def outline(config: options.Backbone, *, columns: Columns) -> Backbone:
    """Build the backbone for a look at its shapes, on the meta device: nothing is fetched or read."""
    family = component("backbone", config.kind)
    if "outline" in family.functions:
        found: Backbone = family.function("outline")(config, columns=columns, tokens=TOKENS)
        return found
    return load(config, columns=columns, pretrained=False)
