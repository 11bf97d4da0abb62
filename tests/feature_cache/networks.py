"""Tiny networks as trials have them, with random weights, and batches to feed them: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, ByT5Tokenizer

from tests.backbones import bare
from tlx.backbones.families.transformers_texts import TextEncoder
from tlx.backbones.load import load
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.config.backbone import Input, TimmBackbone
from tlx.strategies.freezing import freeze
from tlx.tasks.network import Network

SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 40}
LAST: dict[str, Any] = {"pad_token_id": 0, "vocab_size": 300}
RELATIVE: dict[str, Any] = {
    "relative_attention": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "pos_att_type": ["p2c", "c2p"],
}
GPT2: dict[str, Any] = {"n_embd": 32, "n_layer": 3, "n_head": 2, "bos_token_id": 1, "eos_token_id": 1}
VIT: dict[str, Any] = {"depth": 3, "embed_dim": 48, "num_heads": 3}
IMAGES: dict[str, Callable[[], TimmBackbone]] = {
    "resnet": lambda: TimmBackbone(name="resnet18", input=Input(size=64), drop_path=0.1),
    "vit": lambda: TimmBackbone(name="vit_tiny_patch16_224", input=Input(size=96), drop_path=0.1, args=dict(VIT)),
    "convnext": lambda: TimmBackbone(name="test_convnext", input=Input(size=64), drop_path=0.1),
    "mobilenet": lambda: TimmBackbone(name="mobilenetv3_small_050", input=Input(size=64)),
}
MODERN: dict[str, Any] = {f"{name}_token_id": 1 for name in ("bos", "eos", "cls", "sep")}
TEXTS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("bert", SIZES),
    "gpt2": ("gpt2", GPT2),
    "deberta": ("deberta-v2", {**SIZES, **RELATIVE}),
    "modernbert": ("modernbert", {**SIZES, **MODERN, "mlp_dropout": 0.1, "attention_dropout": 0.1}),
}


def network(name: str) -> Network:
    """A classifier of three classes on a backbone, its weights shaken so that nothing is zero."""
    torch.manual_seed(0)
    if name in IMAGES:
        loaded = load(IMAGES[name](), pretrained=False)
        spec = loaded.takes["x"]
        assert isinstance(spec, ImageSpec)
        model = bare.network(loaded.module, loaded.width, 3, spec).to(memory_format=CHANNELS_LAST)
    else:
        kind, sizes = TEXTS[name]
        encoder = AutoModel.from_config(AutoConfig.for_model(kind, **{**LAST, **sizes})).float()
        model = bare.network(TextEncoder(encoder, "mean"), 32, 3, TextSpec(ByT5Tokenizer(extra_ids=0), 64, 0))
    shake(model)
    return model


@torch.no_grad()
def shake(model: nn.Module) -> None:
    """Move every parameter and statistic a little."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_floating_point() and "inv_freq" not in name:
            tensor.add_(torch.rand_like(tensor) * 0.05)


def images(spec: ImageSpec, count: int, seed: int = 0) -> Batch:
    """A batch of images as the loader gives it."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, spec.channels, spec.height, spec.width, generator=generator)
    return labelled({"image": x.contiguous(memory_format=CHANNELS_LAST)}, count)


def texts(count: int, longest: int, seed: int = 0) -> Batch:
    """A batch of ragged texts, the first of them the longest."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, longest + 1, (count,), generator=generator)
    lengths[0] = longest
    ids = torch.randint(5, 250, (count, longest), generator=generator)
    mask = (torch.arange(longest) < lengths[:, None]).long()
    return labelled({"text": {"input_ids": ids * mask, "attention_mask": mask}}, count)


def labelled(inputs: dict[str, Any], count: int) -> Batch:
    """A batch of these inputs."""
    return Batch(torch.arange(count), inputs, {"label": torch.arange(count) % 3})


def batch(model: Network, count: int, longest: int = 11, seed: int = 0) -> Batch:
    """A batch of whatever the network reads."""
    (spec,) = model.takes.values()
    return images(spec, count, seed) if isinstance(spec, ImageSpec) else texts(count, longest, seed)


def light(full: Batch) -> Batch:
    """A batch without its images."""
    return replace(full, inputs={name: value for name, value in full.inputs.items() if name != "image"})


def frozen_but(model: nn.Module, *beginnings: str) -> frozenset[str]:
    """Freeze everything but the parameters whose names begin so; their names."""
    names = frozenset(name for name, _ in model.named_parameters() if name.startswith(beginnings))
    freeze(model, names)
    return names


def copies(model: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in [*model.named_parameters(), *model.named_buffers()]}


@torch.no_grad()
def put_back(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """The parameters and buffers of :func:`copies`."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        tensor.copy_(tensors[name])


def gradients(model: nn.Module, names: Collection[str]) -> dict[str, Tensor]:
    """Gradients of these parameters, which are taken away from the model."""
    found = {}
    for name, parameter in model.named_parameters():
        if name in names:
            assert parameter.grad is not None, name
            found[name] = parameter.grad
        else:
            assert parameter.grad is None, name
        parameter.grad = None
    return found


CHANNELS_LAST = torch.channels_last
