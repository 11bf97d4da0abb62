"""timm backbones: the width is the real one, and images are prepared by the model's own data configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from timm.data import resolve_model_data_config

from tlx import compose
from tlx.backbones.backbone import Backbone
from tlx.backbones.load import load
from tlx.columns import Image
from tlx.columns.input_spec import ImageSpec
from tlx.config.backbone import Input, TimmBackbone
from tlx.config.errors import ConfigError, WeightsError

_CONF = Path(__file__).parents[2] / "conf" / "backbone"
_TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(_CONF.glob("*.yaml"))}
SHIPPED = [name for name, text in _TEXTS.items() if "@_here_: timm" in text and "???" not in text]
PUBLISHED = [
    "resnet18.a1_in1k",
    "inception_v3.tv_in1k",
    "mobilenetv3_small_100.lamb_in1k",
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
    "vit_small_patch14_dinov2.lvd142m",
    "swin_tiny_patch4_window7_224.ms_in1k",
]
TINY = ["test_resnet.r160_in1k", "test_vit.r160_in1k", "test_efficientnet.r160_in1k", "test_convnext.r160_in1k"]


def on_meta(config: TimmBackbone, channels: int = 3) -> tuple[Backbone, ImageSpec]:
    """The backbone without memory or weights, and what it is fed."""
    with torch.device("meta"):
        loaded = load(config, columns={"image": Image("image", channels=channels)}, pretrained=False)
    (spec,) = loaded.takes.values()
    assert isinstance(spec, ImageSpec)
    return loaded, spec


def forward(loaded: Backbone, spec: ImageSpec) -> torch.Size:
    """The shape of the features of two images of the size the backbone asks for."""
    images = torch.empty(2, spec.channels, spec.height, spec.width, device="meta")
    features: torch.Tensor = loaded.module.eval()(images)
    return features.shape


def test_the_shipped_backbones_are_found() -> None:
    assert {"resnet18", "vgg16", "inception_v3", "vit_base", "mobilenetv3_large"} <= set(SHIPPED)


@pytest.mark.parametrize("option", SHIPPED)
def test_width_is_that_of_a_real_forward(option: str) -> None:
    config = compose([f"backbone={option}", "dataset=glyphs"]).backbone
    assert isinstance(config, TimmBackbone)
    loaded, spec = on_meta(config)
    assert forward(loaded, spec) == (2, loaded.width)


@pytest.mark.parametrize("name", PUBLISHED)
def test_images_are_prepared_as_the_model_was_trained(name: str) -> None:
    _, spec = on_meta(TimmBackbone(name=name))
    with torch.device("meta"):
        own = resolve_model_data_config(timm.create_model(name))
    assert (spec.channels, spec.height, spec.width) == own["input_size"]
    assert (spec.mean, spec.std) == (own["mean"], own["std"])
    assert (spec.interpolation, spec.crop) == (own["interpolation"], own["crop_pct"])


@pytest.mark.parametrize(("name", "size"), [("inception_v3.tv_in1k", 299), ("vit_small_patch14_dinov2.lvd142m", 518)])
def test_unusual_input_sizes_are_kept(name: str, size: int) -> None:
    _, spec = on_meta(TimmBackbone(name=name))
    assert (spec.height, spec.width) == (size, size)


@pytest.mark.parametrize("channels", [1, 3, 13])
@pytest.mark.parametrize("name", TINY)
def test_other_channels_have_statistics_and_a_first_layer(name: str, channels: int) -> None:
    loaded, spec = on_meta(TimmBackbone(name=name), channels)
    assert spec.channels == len(spec.mean) == len(spec.std) == channels
    assert forward(loaded, spec) == (2, loaded.width)
    _, rgb = on_meta(TimmBackbone(name=name))
    assert all(min(rgb.mean) <= value <= max(rgb.mean) for value in spec.mean)
    assert all(min(rgb.std) <= value <= max(rgb.std) for value in spec.std)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_bands_have_the_statistics_of_train(channels: int) -> None:
    """Those of colours say nothing of them."""
    mean, std = tuple(0.01 * i for i in range(channels)), tuple(0.1 + 0.01 * i for i in range(channels))
    columns = {"image": Image("image", channels=channels, mean=mean, std=std)}
    one = [TimmBackbone(name=TINY[0], input=Input(mean=[0.5]))] if channels > 1 else []
    for backbone in (TimmBackbone(name=TINY[0], weights="none"), *one):
        spec = load(backbone, columns=columns, pretrained=False).takes["x"]
        assert isinstance(spec, ImageSpec)
        assert (spec.mean, spec.std) == (mean, std)
    if channels > 1:
        with pytest.raises(ConfigError, match=f"3 values for {channels} channels"):
            load(TimmBackbone(name=TINY[0], input=Input(mean=[0.5, 0.4, 0.3])), columns=columns, pretrained=False)


@pytest.mark.parametrize("channels", [1, 3, 13])
@pytest.mark.parametrize("name", TINY)
def test_pretrained_weights_meet_other_channels_as_in_timm(name: str, channels: int, folder: Path) -> None:
    torch.manual_seed(0)
    torch.save(timm.create_model(name).state_dict(), folder / "weights.pth")
    columns = {"image": Image("image", channels=channels)}
    ours = load(TimmBackbone(name=name, weights="weights.pth"), columns=columns).module.state_dict()
    torch.manual_seed(1)
    overlay = {"file": str(folder / "weights.pth")}
    model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, in_chans=channels, num_classes=0)
    theirs = model.state_dict()
    assert ours.keys() == theirs.keys()
    assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == []


def test_what_the_user_sets_goes_before_the_models_own() -> None:
    own = Input(size=96, mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6], interpolation="nearest")
    loaded, spec = on_meta(TimmBackbone(name="resnet18.a1_in1k", input=own))
    assert spec == ImageSpec(3, 96, 96, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "nearest", 1.0)
    assert forward(loaded, spec) == (2, 512)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224.augreg_in21k_ft_in1k", "swin_tiny_patch4_window7_224.ms_in1k"])
def test_a_transformer_of_fixed_size_is_built_for_the_size_asked(name: str) -> None:
    loaded, spec = on_meta(TimmBackbone(name=name, input=Input(size=448)))
    assert (spec.height, spec.width) == (448, 448)
    assert forward(loaded, spec) == (2, loaded.width)


def test_further_arguments_reach_timm() -> None:
    loaded, _ = on_meta(TimmBackbone(name="resnet18", args={"layers": [1, 1, 1, 1], "channels": [16, 32, 64, 128]}))
    assert loaded.width == 128


@pytest.mark.parametrize(("config", "hint"), [
    (TimmBackbone(name="resnet81"), "did you mean resnet18"),
    (TimmBackbone(name="resnet18.no_such_tag"), "no_such_tag"),
    (TimmBackbone(name="resnet18", args={"no_such_argument": 1}), "no_such_argument"),
])  # fmt: skip
def test_what_timm_does_not_know_is_said(config: TimmBackbone, hint: str) -> None:
    with pytest.raises(WeightsError, match=hint) as caught:
        on_meta(config)
    assert caught.value.problems[0].key == "backbone.name"
