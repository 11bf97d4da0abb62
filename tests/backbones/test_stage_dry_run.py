"""The dry run: it orders what registration does not, changes nothing, and sees the same in a network without values."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import timm
import torch
import transformers
from torch import nn

from tests.backbones.test_stage_order import first_use
from tests.backbones.test_stages import GPT2, on_meta
from tlx.backbones.partition.stages import HEAD, digest, stages, table

IDS = torch.tensor([[5, 7, 9, 11, 2]])
BART: dict[str, Any] = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "vocab_size": 90, "pad_token_id": 1}
HEADS: dict[str, Any] = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 40}
IMAGE: dict[str, Any] = {"pixel_values": torch.zeros(1, 3, 32, 32)}
PARTS: dict[str, Any] = {"num_hidden_layers": 3, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 37}
# networks that do not register their parts in the order of use, with an input
OUT_OF_ORDER: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "bart": (
        lambda: transformers.BartForConditionalGeneration(transformers.BartConfig(**BART, **HEADS)),
        {"input_ids": IDS, "decoder_input_ids": IDS},
    ),
    "xlm": (
        lambda: transformers.XLMModel(transformers.XLMConfig(emb_dim=32, n_layers=3, n_heads=2, vocab_size=90)),
        {"input_ids": IDS},
    ),
    "yolos": (
        lambda: transformers.YolosForObjectDetection(
            transformers.YolosConfig(**PARTS, image_size=(32, 32), patch_size=8, use_mid_position_embeddings=True)
        ),
        IMAGE,
    ),
    "pvt": (
        lambda: transformers.PvtForImageClassification(
            transformers.PvtConfig(image_size=32, hidden_sizes=[16, 16, 16, 16], num_attention_heads=[1, 1, 1, 1])
        ),
        IMAGE,
    ),
}


class Backwards(nn.Module):
    """Uses its parts from last to first, keeps what it made, counts in a buffer, drops out and draws."""

    seen: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.c, self.b, self.a = (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)) for _ in range(3))
        self.register_buffer("seen", torch.zeros(()))
        self.kept: list[torch.Tensor] = []
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += 1
        for part in (self.a, self.b, self.c):
            x = self.drop(part(x)) + torch.randn(4) + random.random() + np.random.rand()
            self.kept.append(x)
        self.last = x
        return x


@pytest.mark.parametrize("name", list(OUT_OF_ORDER))
def test_stages_are_in_the_order_of_use(name: str) -> None:
    build, example = OUT_OF_ORDER[name]
    model = build().eval()
    for cut, right in ((stages(model), False), (stages(model, example=example), True)):
        body = [stage for stage in cut if stage.name != HEAD]
        times = first_use(model, body, lambda: model(**example))
        assert (times == sorted(times)) is right


@pytest.mark.parametrize("name", list(OUT_OF_ORDER))
def test_a_network_without_values_is_cut_like_the_real_one(name: str) -> None:
    build, example = OUT_OF_ORDER[name]
    real = build()
    with torch.device("meta"):
        twin = build()
        on_twin = stages(twin, example=example)
    assert table(stages(real, example=example)) == table(on_twin)
    assert digest(stages(real, example=example)) == digest(on_twin)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_timm_network_without_values_is_cut_like_the_real_one(name: str) -> None:
    example = {"x": torch.zeros(1, 3, 160, 160)}
    assert digest(stages(timm.create_model(name), example=example)) == digest(stages(on_meta(name, 1000)))


def test_nothing_is_changed() -> None:
    model = Backwards().train()
    model.b.eval()
    hook = model.a.register_forward_hook(lambda *_: None)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes, attributes = [module.training for module in model.modules()], set(model.__dict__)
    drawn = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    cut = stages(model, example={"x": torch.zeros(3, 4)})
    assert [stage.names[0][0] for stage in cut] == ["a", "b", "c"]  # it was run
    assert torch.equal(torch.get_rng_state(), drawn[0])
    assert (random.getstate(), str(np.random.get_state())) == drawn[1:]
    assert [module.training for module in model.modules()] == modes
    assert set(model.__dict__) == attributes
    assert model.kept == []
    assert list(model.a._forward_hooks) == [hook.id]
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_input_the_network_does_not_take_is_as_none() -> None:
    model = on_meta("resnet18")
    assert digest(stages(model, example={"x": torch.zeros(1, 5, 8, 8)})) == digest(stages(model))
    assert digest(stages(model, example={"no_such_argument": 1})) == digest(stages(model))


def test_a_head_that_fails_does_not_hide_the_order_before_it() -> None:
    """BART's classifier looks for the end of the text, which a run without values cannot find."""
    with torch.device("meta"):
        model = transformers.BartForSequenceClassification(transformers.BartConfig(**BART, **HEADS))
    names = [stage.name for stage in stages(model, example={"input_ids": IDS})]
    assert "model.encoder.layernorm_embedding" not in names


def test_an_example_for_the_backbone_of_a_task() -> None:
    model = nn.Module()
    model.backbone, model.head = Backwards(), nn.Linear(4, 2)
    cut = stages(model, example={"x": torch.zeros(3, 4)})
    assert [stage.names[0] for stage in cut] == [f"backbone.{part}.0.weight" for part in "abc"] + ["head.weight"]


def test_the_digest_is_the_same_in_another_process() -> None:
    code = (
        "from torch import nn; from tlx.backbones.partition.stages import digest, stages;"
        "print(digest(stages(nn.Transformer(8, 2, 2, 2, 16))))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest(stages(nn.Transformer(8, 2, 2, 2, 16)))


def test_the_digest_follows_names_ties_and_shapes() -> None:
    def gpt2(**changed: Any) -> nn.Module:
        with torch.device("meta"):
            model: nn.Module = transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**GPT2, **changed}))
        return model

    cut = stages(gpt2())
    others = [cut[:-1], cut[::-1], stages(gpt2(vocab_size=91)), [replace(cut[0], name="first"), *cut[1:]]]
    others += [[replace(cut[0], tower="text"), *cut[1:]], [*cut[:-1], replace(cut[-1], tied=())]]
    assert len({digest(cut), *(digest(other) for other in others)}) == 7
