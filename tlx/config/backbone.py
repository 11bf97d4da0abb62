"""What a person can say about a backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import option


@dataclass
class Input:
    """What the network sees. ``null`` takes the model's own data configuration."""

    size: int | None = option(None, "pixels of a side; null: the model's own")
    mean: list[float] | None = option(None, "subtracted from each channel, values being 0 to 1; null: the model's own")
    std: list[float] | None = option(None, "divided by, for each channel; null: the model's own")
    interpolation: str | None = option(
        None, "how images are resized: bilinear, bicubic, nearest; null: the model's own"
    )


@dataclass
class Backbone:
    """A pretrained network, without its head."""

    kind: str = MISSING
    modality: str = MISSING
    name: str = option(MISSING, "what the library, the hub or the disk knows it by")
    alias: str | None = option(None, "what runs are called by; null: the name", runtime_only=True)
    weights: str = option("hub", "hub | none | <file or folder> | run:<folder> | trial:<experiment> | mlflow:<run id>")
    weights_prefix: str | None = option(
        None, "what the checkpoint puts before every tensor name; null finds model., module., backbone., ... by itself"
    )
    stages: list[str] = option(
        help="regular expressions over parameter names, one per stage from shallow to deep; empty: tlx cuts by itself",
        factory=list,
    )
    dropout: float | None = option(
        None, "rate of the network's own dropout layers; null: as the model comes", least=0, below=1
    )


@dataclass
class TimmBackbone(Backbone):
    """Any image model of timm, by name."""

    kind: str = "timm"
    modality: str = "image"
    input: Input = option(help="what the network sees", factory=Input)
    drop_path: float | None = option(
        None,
        "share of blocks skipped per example (stochastic depth: Huang 2016); null: as the model comes",
        least=0,
        below=1,
    )
    args: dict[str, Any] = option(help="further arguments of timm.create_model", factory=dict)


@dataclass
class TransformersBackbone(Backbone):
    """Any text encoder or decoder of transformers, by hub name or folder."""

    kind: str = "transformers"
    modality: str = "text"
    pooling: str = option(
        help="mean over tokens, first token, last token; auto: mean for encoders, last for decoders",
        choices=("auto", "mean", "first", "last"),
    )
    max_length: int | None = option(None, "tokens kept; null is what the model and its tokenizer allow, 512 at most")
    architecture: str | None = option(
        None,
        "transformers' model type and what differs from its defaults: lets `tlx plan` do without the hub",
        runtime_only=True,
    )
    settings: dict[str, Any] = option(
        help="what differs from the defaults of the architecture", factory=dict, runtime_only=True
    )


@dataclass
class BytesBackbone(Backbone):
    """A text architecture of transformers built from its settings, which reads UTF-8 bytes: no files, no hub."""

    kind: str = "bytes"
    modality: str = "text"
    weights: str = option("none", "it has none of its own")
    architecture: str = option(MISSING, "transformers' model type, and what differs from its defaults")
    settings: dict[str, Any] = option(help="what differs from the defaults of the architecture", factory=dict)
    pooling: str = option(
        help="mean over tokens, first token, last token; auto: mean for encoders, last for decoders",
        choices=("auto", "mean", "first", "last"),
    )
    max_length: int = option(64, "bytes kept")


@dataclass
class ColumnsBackbone(Backbone):
    """No network at all: numbers as they are, standardised on train, and categories one-hot."""

    kind: str = "columns"
    modality: str = "table"
    name: str = option("columns", "what the library, the hub or the disk knows it by")
    weights: str = option("none", "it has none of its own")


@dataclass
class MLPBackbone(Backbone):
    """A residual network of fully connected layers over the columns of a table (ResNet: Gorishniy et al. 2021)."""

    kind: str = "mlp"
    modality: str = "table"
    weights: str = option("none", "none | <file> | run:<folder> | trial:<experiment> | mlflow:<run id>")
    width: int = option(64, "features that go from block to block", above=0)
    hidden: int = option(128, "features within a block", above=0)
    blocks: int = option(3, "how many there are", above=0)


@dataclass
class PixelsBackbone(Backbone):
    """No network at all: the image itself as features, the baseline every study needs."""

    kind: str = "pixels"
    modality: str = "image"
    name: str = option("pixels", "what the library, the hub or the disk knows it by")
    weights: str = option("none", "it has none of its own")
    input: Input = option(
        help="what the network sees", factory=lambda: Input(size=8, mean=[0.0], std=[1.0], interpolation="bilinear")
    )
