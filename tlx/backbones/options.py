"""What a person can say about a backbone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import aside, choice


@dataclass
class Input:
    """What the network sees. ``null`` takes the model's own data configuration."""

    size: int | None = None
    mean: list[float] | None = None
    std: list[float] | None = None
    interpolation: str | None = None


@dataclass
class Backbone:
    """A pretrained network, without its head."""

    kind: str = MISSING
    modality: str = MISSING
    name: str = MISSING
    # what runs are called by; null: the name
    alias: str | None = aside(None)
    # hub | none | <file or folder> | trial:<experiment> | mlflow:<run id>
    weights: str = "hub"
    # what the checkpoint puts before every tensor name; null finds model., module., backbone., ... by itself
    weights_prefix: str | None = None
    # regular expressions over parameter names, one per stage from shallow to deep; empty: tlx cuts by itself
    stages: list[str] = field(default_factory=list)
    # rate of the network's own dropout layers; null: as the model comes
    dropout: float | None = None


@dataclass
class TimmBackbone(Backbone):
    """Any image model of timm, by name."""

    kind: str = "timm"
    modality: str = "image"
    input: Input = field(default_factory=Input)
    # share of blocks skipped per example (stochastic depth: Huang 2016); null: as the model comes
    drop_path: float | None = None
    # further arguments of timm.create_model
    args: dict[str, Any] = field(default_factory=dict)


@dataclass
class TransformersBackbone(Backbone):
    """Any text encoder or decoder of transformers, by hub name or folder."""

    kind: str = "transformers"
    modality: str = "text"
    # mean over tokens, first token, last token; auto: mean for encoders, last for decoders
    pooling: str = choice("auto", "mean", "first", "last")
    # tokens kept; null is what the model and its tokenizer allow, 512 at most
    max_length: int | None = None
    # transformers' model type and what differs from its defaults: lets `tlx plan` do without the hub
    architecture: str | None = aside(None)
    settings: dict[str, Any] = aside({})


@dataclass
class BytesBackbone(Backbone):
    """A text architecture of transformers built from its settings, which reads UTF-8 bytes: no files, no hub."""

    kind: str = "bytes"
    modality: str = "text"
    weights: str = "none"
    # transformers' model type, and what differs from its defaults
    architecture: str = MISSING
    settings: dict[str, Any] = field(default_factory=dict)
    pooling: str = choice("auto", "mean", "first", "last")
    # bytes kept
    max_length: int = 64


@dataclass
class PixelsBackbone(Backbone):
    """No network at all: the image itself as features, the baseline every study needs."""

    kind: str = "pixels"
    modality: str = "image"
    name: str = "pixels"
    weights: str = "none"
    input: Input = field(default_factory=lambda: Input(size=8, mean=[0.0], std=[1.0], interpolation="bilinear"))


KINDS = {
    "timm": TimmBackbone,
    "transformers": TransformersBackbone,
    "bytes": BytesBackbone,
    "pixels": PixelsBackbone,
}
