"""Three architectures described by hand: the independent side of every comparison of names."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
import timm
import torch
from torch import nn
from transformers import BertConfig, BertModel

from tests.backbones import bare
from tlx.backbones.families.transformers_texts import TextEncoder

RESNET, VIT, BERT = "resnet18", "vit_tiny_patch16_224", "bert"


@dataclass(frozen=True)
class Architecture:
    """What a person knows of an architecture from its parameters' names: how deep each lies, and which are norms."""

    block: str  # finds the numbers of a block
    blocks: tuple[tuple[int, ...], ...]  # those numbers, shallow to deep
    norm: str
    late: str = "$^"  # finds what follows the blocks and lies in the deepest stage
    levels: tuple[int, ...] = ()  # first stage of each of four levels of about equal size

    @property
    def size(self) -> int:
        """Stages of the backbone: the stem and the blocks."""
        return len(self.blocks) + 1

    def depth(self, name: str) -> int:
        """0 for the stem, ``size`` for the head."""
        if name.startswith("head."):
            return self.size
        if match := re.search(self.block, name):
            return self.blocks.index(tuple(int(number) for number in match.groups())) + 1
        return self.size - 1 if re.search(self.late, name) else 0

    def is_norm(self, name: str) -> bool:
        """Is it a normalisation layer's?"""
        return re.search(self.norm, name) is not None


KNOWN = {
    RESNET: Architecture(
        r"layer(\d)\.(\d)",
        tuple((i, j) for i in (1, 2, 3, 4) for j in (0, 1)),
        r"bn\d|downsample\.1",
        levels=(0, 1, 7, 8),
    ),
    VIT: Architecture(r"blocks\.(\d+)", tuple((i,) for i in range(12)), "norm", r"^backbone\.norm\.", (0, 4, 7, 10)),
    BERT: Architecture(r"layer\.(\d+)", tuple((i,) for i in range(4)), "LayerNorm", levels=(0, 2, 3, 4)),
}
EVERYWHERE = pytest.mark.parametrize("name", list(KNOWN))


def on_meta(name: str) -> nn.Module:
    """A timm model, or a tiny BERT, behind a task's head, without memory."""
    with torch.device("meta"):
        if name == BERT:
            return bare.network(_bert(), 8, 5, bare.TEXT)
        return bare.network(timm.create_model(name, num_classes=0), 8, 5, bare.images(224))


def _bert() -> nn.Module:
    sizes = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 2, "max_position_embeddings": 24}
    config = BertConfig(vocab_size=50, num_hidden_layers=4, **sizes)
    return TextEncoder(BertModel(config, add_pooling_layer=False), "mean")
