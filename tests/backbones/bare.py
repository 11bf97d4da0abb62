"""Bare modules behind a linear head, as a task has them."""

from __future__ import annotations

from torch import nn

from tlx.backbones.backbone import Backbone
from tlx.columns import Column, Image, Label, Text
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.columns.schema import Schema
from tlx.tasks.network import Network

TEXT = TextSpec(None, 8, 0)


def images(side: int, channels: int = 3) -> ImageSpec:
    """Square images of values about zero."""
    return ImageSpec(channels, side, side, (0.5,) * channels, (0.5,) * channels)


IMAGE = images(8)


def network(backbone: nn.Module, width: int, classes: int, spec: ImageSpec | TextSpec = IMAGE) -> Network:
    """A classifier of the column ``image``, which the backbone takes as ``x``, or of the column ``text``."""
    column: Column = Text("text")
    if isinstance(spec, ImageSpec):
        column = Image("image", channels=spec.channels)
    taken = {"x" if isinstance(spec, ImageSpec) else "text": spec}
    label = Label("label", classes=tuple(f"class {i}" for i in range(classes)))
    return Network(Backbone(backbone, width, taken), Schema((column, label)), classes)
