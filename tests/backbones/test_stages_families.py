"""Heads, ties and towers of the networks that have more than an encoder and a classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from tests.backbones.test_stages import GPT2, SMALL, T5, on_meta
from tlx.backbones.partition.stages import HEAD, stages, table, verify

CLIP: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 3, "num_attention_heads": 2}
WAV2VEC: dict[str, Any] = {
    "conv_dim": (8, 8),
    "conv_stride": (5, 2),
    "conv_kernel": (10, 3),
    "num_conv_pos_embeddings": 4,
}
MODELS: dict[str, Callable[[], nn.Module]] = {
    "gpt2": lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2)),
    "gpt2_untied": lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2, tie_word_embeddings=False)),
    "t5": lambda: transformers.T5ForConditionalGeneration(transformers.T5Config(**T5)),
    "bert": lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**SMALL)),
    "clip": lambda: transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config={**CLIP, "vocab_size": 90}, vision_config={**CLIP, "image_size": 32, "patch_size": 16}
        )
    ),
    "wav2vec2": lambda: transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**SMALL, **WAV2VEC)),
    "detr": lambda: transformers.YolosForObjectDetection(transformers.YolosConfig(**CLIP, image_size=(32, 32))),
    "rt_detr": lambda: transformers.RTDetrForObjectDetection(
        transformers.RTDetrConfig(d_model=32, encoder_hidden_dim=32, decoder_layers=3, num_queries=5)
    ),
}


def meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return MODELS[name]()


@pytest.mark.parametrize("name", list(MODELS))
def test_disjoint_complete_and_a_row_for_each(name: str) -> None:
    model = meta(name)
    cut = stages(model)
    verify(model, cut)
    rows = table(cut)
    assert [row["stage"] for row in rows] == [stage.name for stage in cut]
    assert sum(row["count"] for row in rows) == sum(parameter.numel() for parameter in model.parameters())
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert sum(row["tensors"] for row in rows) == len(list(model.parameters()))


@pytest.mark.parametrize(("name", "head"), [
    ("bert", ("classifier.weight", "classifier.bias")),
    ("wav2vec2", ("lm_head.weight", "lm_head.bias")),
    ("gpt2_untied", ("lm_head.weight",)),
])  # fmt: skip
def test_the_head_is_what_lies_outside_the_base_model(name: str, head: tuple[str, ...]) -> None:
    last = stages(meta(name))[-1]
    assert (last.name, last.names, last.tied) == (HEAD, head, ())


@pytest.mark.parametrize("name", ["detr", "rt_detr"])
def test_a_detector_s_head_says_what_and_where(name: str) -> None:
    model = meta(name)
    last = stages(model)[-1]
    classes = int(model.config.num_labels)  # type: ignore[union-attr, arg-type]
    outputs = {parameter.shape[0] for parameter in last.parameters()}
    assert last.name == HEAD
    assert outputs & {classes, classes + 1}  # classes, with one for no object
    assert 4 in outputs  # boxes
    assert not any(".layers.0.self_attn" in name for name in last.names)


@pytest.mark.parametrize(("name", "embedding"), [("gpt2", "transformer.wte.weight"), ("t5", "shared.weight")])
def test_a_head_of_tied_tensors_alone_is_a_stage_all_the_same(name: str, embedding: str) -> None:
    model = meta(name)
    first, *_, last = stages(model)
    assert (last.name, last.names, last.tied) == (HEAD, (), ("lm_head.weight",))
    assert embedding in first.names
    assert model.get_parameter("lm_head.weight") is model.get_parameter(embedding)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_name_of_a_tensor_lies_in_its_owner_or_is_listed_as_tied(name: str) -> None:
    model = meta(name)
    cut = stages(model)
    owner = {id(parameter): i for i, stage in enumerate(cut) for parameter in stage.parameters()}
    listed = [(i, n) for i, stage in enumerate(cut) for n in stage.tied]
    assert all(owner[id(model.get_parameter(n))] < i for i, n in listed)
    held = {id(parameter): n for stage in cut for n, parameter in zip(stage.names, stage.parameters(), strict=True)}
    others = {n for n, p in model.named_parameters(remove_duplicate=False) if held[id(p)] != n}
    assert {n for _, n in listed} <= others


def test_an_encoder_and_its_decoder_are_one_tower_in_depth() -> None:
    cut = stages(meta("t5"))
    blocks = [stage.name for stage in cut if stage.name[-1].isdigit()]
    assert blocks == ["encoder.block.0", "encoder.block.1", "decoder.block.0", "decoder.block.1"]
    assert {stage.tower for stage in cut} == {""}


def test_two_encoders_are_two_towers_and_what_they_share_comes_last() -> None:
    cut = stages(meta("clip"))
    towers = [stage.tower for stage in cut]
    assert towers == ["text_model"] * 5 + ["vision_model"] * 5 + [""]
    for tower in ("text_model", "vision_model"):
        own = [stage for stage in cut if stage.tower == tower]
        assert [stage.name for stage in own] == [
            f"{tower}.stem", *(f"{tower}.encoder.layers.{i}" for i in range(3)), f"{tower}.neck",
        ]  # fmt: skip
        assert all(name.startswith(f"{tower}.") for stage in own for name in stage.names)
    assert set(cut[-1].names) == {"logit_scale", "visual_projection.weight", "text_projection.weight"}


def test_one_block_that_all_layers_share_is_one_stage() -> None:
    cut = stages(on_meta("albert"))
    assert [stage.name for stage in cut][:2] == ["stem", "encoder.albert_layer_groups.0.albert_layers.0"]
