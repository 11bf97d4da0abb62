"""Any network is cut into disjoint and complete stages, the head last; nothing is allocated for the big ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import transformers
from torch import Tensor, nn

from tests.backbones import bare
from tlx.backbones.load import load
from tlx.backbones.partition.stages import HEAD, Stage, stages, verify
from tlx.config.backbone import TimmBackbone

WITHOUT_GROUP_MATCHER = ("pit_ti_224", "poolformer_s12")
TIMM = (
    "vgg16",
    "resnet18",
    "resnet50",
    "inception_v3",
    "mobilenetv3_small_100",
    "mobilenetv3_large_100",
    "efficientnet_b0",
    "convnext_tiny",
    "vit_tiny_patch16_224",
    "vit_small_patch16_224",
    "vit_base_patch16_224",
    "swin_tiny_patch4_window7_224",
    *WITHOUT_GROUP_MATCHER,
)
SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 90}
RELATIVE: dict[str, Any] = {
    "relative_attention": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "pos_att_type": ["p2c", "c2p"],
}
GPT2: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 90, "bos_token_id": 1, "eos_token_id": 1}
T5: dict[str, Any] = {"d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 2, "num_heads": 2, "vocab_size": 90}
TEXT: dict[str, Callable[[], nn.Module]] = {
    "bert": lambda: transformers.BertModel(transformers.BertConfig(**SMALL)),
    "distilbert": lambda: transformers.DistilBertModel(
        transformers.DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=37, vocab_size=90)
    ),
    "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(**SMALL)),
    "gpt2": lambda: transformers.GPT2Model(transformers.GPT2Config(**GPT2)),
    "albert": lambda: transformers.AlbertModel(transformers.AlbertConfig(embedding_size=16, **SMALL)),
    "t5": lambda: transformers.T5Model(transformers.T5Config(**T5)),
    "deberta_v2": lambda: transformers.DebertaV2Model(transformers.DebertaV2Config(**SMALL)),
    "deberta_v3": lambda: transformers.DebertaV2Model(transformers.DebertaV2Config(**SMALL, **RELATIVE)),
    "gpt2_lm": lambda: transformers.AutoModelForCausalLM.from_config(transformers.GPT2Config(**GPT2)),
    "t5_lm": lambda: transformers.T5ForConditionalGeneration(transformers.T5Config(**T5)),
}


def on_meta(name: str, classes: int = 10) -> nn.Module:
    """A model of timm or transformers without memory."""
    with torch.device("meta"):
        model: nn.Module = TEXT[name]() if name in TEXT else timm.create_model(name, num_classes=classes)
    return model


@pytest.mark.parametrize("name", [*TIMM, *TEXT])
def test_disjoint_and_complete_by_identity(name: str) -> None:
    model = on_meta(name)
    cut = stages(model)
    held = Counter(id(parameter) for stage in cut for parameter in stage.parameters())
    assert held == Counter({id(parameter) for parameter in model.parameters()})
    assert len(cut) >= 2
    assert len({stage.name for stage in cut}) == len(cut)
    assert sum(stage.count for stage in cut) == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", TIMM)
def test_the_classifier_of_a_timm_model_is_the_last_stage(name: str) -> None:
    model = on_meta(name)
    cut = stages(model)
    assert [stage.name for stage in cut].index(HEAD) == len(cut) - 1
    classifier = model.get_classifier()  # type: ignore[operator]
    assert {id(p) for p in cut[-1].parameters()} == {id(p) for p in classifier.parameters()}


@pytest.mark.parametrize("name", ["vgg16", "mobilenetv3_small_100", "vit_tiny_patch16_224", *WITHOUT_GROUP_MATCHER])
def test_the_head_of_a_task_is_the_last_stage(name: str) -> None:
    with torch.device("meta"):
        backbone = load(TimmBackbone(name=name), pretrained=False)
        model = bare.network(backbone.module, backbone.width, 7)
    cut = stages(model)
    assert [stage.name for stage in cut].index(HEAD) == len(cut) - 1
    assert cut[-1].names == ("head.weight", "head.bias")
    assert {n for stage in cut[:-1] for n in stage.names} == {
        f"backbone.{n}" for n, _ in model.backbone.named_parameters()
    }


@pytest.mark.parametrize(("name", "here", "there"), [
    ("gpt2_lm", "transformer.wte.weight", "lm_head.weight"),
    ("t5_lm", "shared.weight", "lm_head.weight"),
    ("t5", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"),
])  # fmt: skip
def test_tied_weights_are_in_one_stage(name: str, here: str, there: str) -> None:
    model = on_meta(name)
    tied = model.get_parameter(here)
    assert tied is model.get_parameter(there)
    holders = [stage.name for stage in stages(model) for parameter in stage.parameters() if parameter is tied]
    assert holders == ["stem"]


def test_a_cut_that_repeats_or_forgets_a_parameter_is_refused() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    first, second = Stage("a", model, ("0.weight", "0.bias")), Stage("b", model, ("1.weight", "1.bias"))
    verify(model, [first, second])
    with pytest.raises(ValueError, match="in two stages"):
        verify(model, [first, second, Stage("c", model, ("0.weight",))])
    with pytest.raises(ValueError, match="in no stage"):
        verify(model, [first])


def test_an_order_that_cannot_be_found_out_is_said(caplog: pytest.LogCaptureFixture) -> None:
    class AsksForValues(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])

        def forward(self, x: Tensor) -> Tensor:
            x.numpy()  # of a tensor without values there are none
            for block in reversed(self.blocks):
                x = block(x)
            return x

    cut = stages(AsksForValues(), example={"x": torch.empty(2, 3)})
    assert [stage.names[0] for stage in cut] == ["blocks.0.weight", "blocks.1.weight"]
    assert "in the order of registration" in caplog.text
