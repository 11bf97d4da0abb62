"""Selectors of classes, of PEFT, of towers side by side, and tensors that have two names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from transformers import CLIPConfig, CLIPModel, GPT2Config, GPT2LMHeadModel

from tests.strategies.architectures import BERT, RESNET, VIT, on_meta
from tests.strategies.conftest import Cut, made, of, phase
from tlx.backbones.partition.stages import Stage, stages
from tlx.config.errors import ConfigError
from tlx.config.strategy import Expand
from tlx.config.strategy_parts import Peft
from tlx.strategies.peft import adapters
from tlx.strategies.phases import plan
from tlx.strategies.selectors import matching, select

_SIZES = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.fixture
def clip() -> list[Stage]:
    """Two towers, each of a stem, two layers and a neck; then what they share."""
    text = _SIZES | {"vocab_size": 50, "max_position_embeddings": 8, "bos_token_id": 1, "eos_token_id": 2}
    vision = _SIZES | {"image_size": 32, "patch_size": 8}
    with torch.device("meta"):
        return stages(CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)))


@pytest.fixture
def gpt2() -> list[Stage]:
    """A language model whose head is its embedding: ``lm_head.weight`` is ``transformer.wte.weight``."""
    sizes: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 8}
    with torch.device("meta"):
        return stages(GPT2LMHeadModel(GPT2Config(vocab_size=50, bos_token_id=1, eos_token_id=1, **sizes)))


def chosen(network: Sequence[Stage], *train: str, freeze: Sequence[str] = ()) -> frozenset[str]:
    return select(train, freeze, network, "strategy.phases.0")


def said(network: Sequence[Stage], *train: str, freeze: Sequence[str] = ()) -> str:
    with pytest.raises(ConfigError) as caught:
        chosen(network, *train, freeze=freeze)
    (problem,) = caught.value.problems
    return problem.message


@pytest.mark.parametrize(("name", "selector", "pattern"), [
    (RESNET, "type:Conv2d", r"conv\d|downsample\.0"),
    (RESNET, "type:BatchNorm2d", r"bn\d|downsample\.1"),
    (RESNET, "type:BasicBlock", "layer"),
    (VIT, "type:Attention", r"\.attn\."),
    (VIT, "type:PatchEmbed", "patch_embed"),
    (BERT, "type:Embedding", "embeddings.*_embeddings"),
    (BERT, "type:Linear", r"(query|key|value|dense|head)\."),
])  # fmt: skip
def test_a_class_is_every_parameter_within_its_modules(cut: Cut, name: str, selector: str, pattern: str) -> None:
    network = cut(name)
    assert chosen(network, selector) == {parameter for parameter in of(network) if re.search(pattern, parameter)}


def test_peft_is_what_was_put_in() -> None:
    model = on_meta(VIT)
    cut = stages(model)
    before = {id(parameter) for parameter in model.parameters()}
    with torch.device("meta"):
        cut = adapters.insert(model, cut, Peft(kind="lora"))
    new = {name for name, parameter in model.named_parameters() if id(parameter) not in before}
    assert new
    assert chosen(cut, "peft") == new
    assert chosen(cut, "all", freeze=["peft"]) == {name for name, _ in model.named_parameters()} - new


@pytest.mark.parametrize(("selector", "pattern"), [
    ("tower:text_model.stem", r"^text_model\.embeddings"),
    ("tower:text_model.stages[1:3]", r"^text_model\.encoder"),
    ("tower:text_model.stages[-1]", r"^text_model\.final"),
    ("tower:vision_model.stages[:50%]", r"^vision_model\.(embeddings|pre_layrnorm|encoder\.layers\.0)"),
    ("tower:vision_model", r"^vision_model"),
    ("backbone", ""),
])  # fmt: skip
def test_each_tower_counts_its_own_stages(clip: list[Stage], selector: str, pattern: str) -> None:
    expected = {name for name in of(clip) if re.search(pattern, name)}
    assert expected
    assert chosen(clip, selector) == expected


@pytest.mark.parametrize("selector", ["stem", "stages[0]", "stages[-2:]", "stages[50%:]"])
def test_bare_stages_are_refused_where_there_are_towers(clip: list[Stage], selector: str) -> None:
    message = f"this backbone has the towers text_model, vision_model; write tower:text_model.{selector}"
    assert said(clip, selector) == message


@pytest.mark.parametrize(("selector", "hint"), [
    ("tower:text_modle.stages[0]", "did you mean text_model?"),
    ("tower:audio.stem", "its towers are text_model, vision_model"),
    ("tower:text_model.stages[9]", "there are 4 stages"),
    ("tower:text_model.norm", "not a selector"),
])  # fmt: skip
def test_a_tower_that_is_not_there_is_told(clip: list[Stage], selector: str, hint: str) -> None:
    assert hint in said(clip, selector)


@pytest.mark.parametrize(("train", "freeze"), [
    (["head"], []),
    (["all"], ["stem"]),
    (["all"], ["head"]),
    (["stages[:]"], []),
    (["backbone"], []),
    (["re:^transformer"], []),
    (["re:lm_head"], []),
])  # fmt: skip
def test_a_tied_tensor_is_not_torn(gpt2: list[Stage], train: list[str], freeze: list[str]) -> None:
    message = said(gpt2, *train, freeze=freeze)
    assert "lm_head.weight (head)" in message
    assert "transformer.wte.weight (stem)" in message
    assert "select both or neither" in message


@pytest.mark.parametrize(("train", "freeze", "expected"), [
    (["all"], [], ".*"),
    (["head", "stem"], [], r"wte|wpe"),
    (["all"], ["head", "stem"], r"\.h\.|ln_f"),
    (["stages[1:]"], [], r"\.h\.|ln_f"),
    (["norm", "bias"], [], r"ln_|bias"),
    (["type:Embedding"], [], r"wte|wpe"),
    (["re:wte|lm_head"], [], "wte"),
])  # fmt: skip
def test_a_tied_tensor_counts_once_under_its_first_name(
    gpt2: list[Stage], train: list[str], freeze: list[str], expected: str
) -> None:
    own = {name for name, _ in gpt2[0].model.named_parameters()}
    assert chosen(gpt2, *train, freeze=freeze) == {name for name in own if re.search(expected, name)}


def test_a_selector_of_a_tied_name_finds_the_tensor(gpt2: list[Stage]) -> None:
    """Else ``lr_mult: {head: 10}`` would silently do nothing."""
    assert matching("head", gpt2, "strategy.lr_mult") == {"transformer.wte.weight"}


def test_stages_are_walked_though_one_of_them_is_tied_to_the_head(gpt2: list[Stage]) -> None:
    """``over: [backbone]`` chooses stages; nothing is torn where both ends of the tie train in every phase."""
    found = plan(made(phase("head", "stem", expand=Expand())), gpt2, 10)
    assert [sorted({name.split(".")[1] for name in one.trainable}) for one in found] == [
        ["ln_f", "wpe", "wte"],
        ["h", "ln_f", "wpe", "wte"],
        ["h", "ln_f", "wpe", "wte"],
    ]
