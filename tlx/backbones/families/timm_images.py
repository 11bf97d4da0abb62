"""Image backbones of timm: any architecture, without its classifier."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import timm
import torch
from timm.data import resolve_model_data_config
from timm.models import adapt_input_conv
from torch import Tensor, nn

from tlx.backbones import hub, weights
from tlx.backbones.backbone import Backbone
from tlx.columns import Column, Image
from tlx.columns.input_spec import ImageSpec, per_channel
from tlx.columns.schema import image
from tlx.config.backbone import TimmBackbone
from tlx.config.errors import ConfigIssue, WeightsError, suggest


def load(config: TimmBackbone, *, columns: Mapping[str, Column], pretrained: bool, read: weights.Reader) -> Backbone:
    """The timm model with its pooled features as output, weights loaded and counted."""
    images = image(columns) or Image("image", channels=3)
    channels = images.channels
    model = _create(config, channels)
    width = int(getattr(model, "head_hidden_size", None) or model.num_features)  # type: ignore[arg-type]
    loaded = Backbone(model, width, {"x": image_spec(config, model, images)})
    if hasattr(model, "forward_intermediates"):
        loaded.forms = {"pyramid": partial(_pyramid, model)}
        loaded.widths = {"pyramid": [int(level["num_chs"]) for level in getattr(model, "feature_info", ())]}
    if pretrained and config.weights != "none":
        source = str(hub.timm_file(model, config.name)) if config.weights == "hub" else config.weights
        state = read(source)
        state = weights.strip(state, model.state_dict(), config.weights_prefix)
        loaded.match = weights.fill(model, _fitted(model, state, channels), source, config.weights_prefix)
    return loaded


def _create(config: TimmBackbone, channels: int) -> nn.Module:
    architecture = config.name.split(".")[0]
    if not timm.is_model(architecture):
        known = timm.list_models()
        raise WeightsError(
            [ConfigIssue("backbone.name", f"timm has no such model{suggest(architecture, known)}", config.name)]
        )
    arguments: dict[str, Any] = dict(config.args)
    for name, value in (("drop_rate", config.dropout), ("drop_path_rate", config.drop_path)):
        if value is not None:
            arguments.setdefault(name, value)
    defaults = timm.get_pretrained_cfg(config.name) if timm.models.is_model_pretrained(config.name) else None
    if config.input.size is not None and defaults is not None and defaults.fixed_input_size:
        arguments.setdefault("img_size", config.input.size)
    try:
        model: nn.Module = timm.create_model(
            config.name, pretrained=False, num_classes=0, in_chans=channels, **arguments
        )
    except (TypeError, RuntimeError) as error:
        raise WeightsError([ConfigIssue("backbone.name", f"timm cannot build it: {error}", config.name)]) from error
    return model


def _pyramid(model: Any, inputs: Mapping[str, Any], depths: Sequence[int]) -> list[Tensor]:
    """Feature maps [batch, width, height, width of the map] after these blocks."""
    maps: list[Tensor] = model.forward_intermediates(
        inputs["x"], indices=sorted(_places(model, depths)), intermediates_only=True, output_fmt="NCHW"
    )
    by_place = dict(zip(sorted(_places(model, depths)), maps, strict=True))
    return [by_place[place] for place in _places(model, depths)]


def _places(model: Any, depths: Sequence[int]) -> list[int]:
    """Numbers of levels from the input on."""
    count = len(model.feature_info)
    if not all(-count <= depth < count for depth in depths):
        raise ValueError(f"expected depths from {-count} to {count - 1}, found {list(depths)}")
    return [depth % count for depth in depths]


def image_spec(config: TimmBackbone, model: nn.Module, images: Image) -> ImageSpec:
    """The model's own data configuration, with what the user set on top; other channels have statistics of train."""
    own = resolve_model_data_config(model)
    _, height, width = own["input_size"]
    size = config.input.size
    return ImageSpec(
        channels=images.channels,
        height=size or height,
        width=size or width,
        mean=per_channel(config.input.mean or (), own["mean"], images.channels, images.mean),
        std=per_channel(config.input.std or (), own["std"], images.channels, images.std),
        interpolation=config.input.interpolation or own["interpolation"],
        crop=1.0 if size else float(own["crop_pct"]),
    )


def _fitted(model: nn.Module, state: dict[str, Tensor], channels: int) -> dict[str, Tensor]:
    """The checkpoint made to fit as timm itself does: input channels, position embeddings, old names."""
    first = hub.pretrained_cfg(model).get("first_conv") or ()
    for name in [first] if isinstance(first, str) else first:
        key = f"{name}.weight"
        if key in state and state[key].ndim == 4 and state[key].shape[1] != channels:
            state[key] = _channels(state[key], channels)
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if convert is not None:
        with torch.no_grad():
            converted: dict[str, Tensor] = convert(state, model)
        return converted
    return state


def _channels(kernel: Tensor, channels: int) -> Tensor:
    if kernel.shape[1] == 3:
        adapted: Tensor = adapt_input_conv(channels, kernel)
        return adapted
    repeats = -(-channels // kernel.shape[1])
    return kernel.repeat(1, repeats, 1, 1)[:, :channels] * (kernel.shape[1] / channels)
