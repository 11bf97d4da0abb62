"""Selectors name the same parts of any network; what cannot be read or matches nothing is told, all at once."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from torch import nn

from tests.strategies.architectures import RESNET, VIT
from tests.strategies.conftest import Cut, of
from tlx.backbones.partition.stages import Stage
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.strategies.selectors import select


def chosen(stages: Sequence[Stage], *train: str, freeze: Sequence[str] = ()) -> set[str]:
    return set(select(train, freeze, stages, "strategy.phases.0"))


def refused(stages: Sequence[Stage], *train: str, freeze: Sequence[str] = ()) -> list[ConfigIssue]:
    with pytest.raises(ConfigError) as caught:
        select(train, freeze, stages, "strategy.phases.0")
    return caught.value.problems


@pytest.mark.parametrize("name", [RESNET, VIT, "efficientnet_b0"])
def test_the_words_for_stages(cut: Cut, name: str) -> None:
    stages = cut(name)
    assert chosen(stages, "head") == {"head.weight", "head.bias"}
    assert chosen(stages, "stem") == set(stages[0].names)
    assert chosen(stages, "backbone") == of(stages[:-1])
    assert chosen(stages, "all") == {parameter for parameter, _ in stages[0].model.named_parameters()}


@pytest.mark.parametrize(("selector", "part"), [
    ("stages[0]", slice(0, 1)),
    ("stages[3]", slice(3, 4)),
    ("stages[-1]", slice(-1, None)),
    ("stages[ -2 ]", slice(-2, -1)),
    ("stages[-2:]", slice(-2, None)),
    ("stages[:3]", slice(3)),
    ("stages[2:5]", slice(2, 5)),
    ("stages[1:-1]", slice(1, -1)),
    ("stages[:]", slice(None)),
    ("stages[50%:]", slice(7, None)),
    ("stages[:50%]", slice(7)),
    ("stages[-50%:]", slice(-7, None)),
    ("stages[30%:70%]", slice(4, 10)),
    ("stages[0%:100%]", slice(None)),
])  # fmt: skip
def test_stages_by_index_and_share_never_reach_the_head(cut: Cut, selector: str, part: slice) -> None:
    stages = cut("vgg16")
    body = stages[:-1]
    assert len(body) == 14
    assert chosen(stages, selector) == of(body[part])


@pytest.mark.parametrize(
    "name", [RESNET, VIT, "convnext_tiny", "efficientnet_b0", "mobilenetv3_small_100", "inception_v3"]
)
def test_norm_is_every_normalisation_layer(cut: Cut, name: str) -> None:
    stages = cut(name)
    model = stages[0].model
    kinds = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
    layers = [path for path, module in model.named_modules() if isinstance(module, kinds)]
    assert chosen(stages, "norm") == {f"{path}.{kind}" for path in layers for kind in ("weight", "bias")}


def test_bias_is_every_bias(cut: Cut) -> None:
    stages = cut(VIT)
    assert chosen(stages, "bias") == {name for name in of(stages) if name.endswith(".bias")}


def test_a_regular_expression_searches_whole_names(cut: Cut) -> None:
    stages = cut(VIT)
    assert chosen(stages, r"re:blocks\.\d+\.attn\.qkv\.weight$") == {
        f"backbone.blocks.{i}.attn.qkv.weight" for i in range(12)
    }
    assert chosen(stages, "re:attn") == {name for name in of(stages) if re.search("attn", name)}


def test_a_list_is_a_union_and_freeze_takes_away(cut: Cut) -> None:
    stages = cut(RESNET)
    assert chosen(stages, "head", "stages[-1]") == of(stages[-2:])
    assert chosen(stages, "head", "head") == of(stages[-1:])
    assert chosen(stages, "all", freeze=["stem", "stages[1]"]) == of(stages[2:])
    assert chosen(stages, "all", freeze=["bias", "norm"]) == {
        name
        for stage in stages
        for name, tensor in zip(stage.names, stage.parameters(), strict=True)
        if tensor.ndim > 1
    }


def test_freezing_everything_leaves_nothing_to_train(cut: Cut) -> None:
    (problem,) = refused(cut(RESNET), "head", freeze=["all"])
    assert problem.key == "strategy.phases.0.train"
    assert "nothing is left to train" in problem.message


@pytest.mark.parametrize(("selector", "said"), [
    ("haed", "did you mean head?"),
    ("backbon", "did you mean backbone?"),
    ("layer4", "expected head, backbone, stem, all, norm, bias, peft, stages[a:b], tower:<name>.stages"),
    ("stages[9]", "there are 9 stages"),
    ("stages[-10]", "there are 9 stages"),
    ("stages[9:]", "matches no parameter of this backbone"),
    ("stages[3:2]", "matches no parameter of this backbone"),
    ("stages[100%:]", "matches no parameter of this backbone"),
    ("stages[1", "not a selector"),
    ("stages[a:b]", "not a selector"),
    ("stages[::2]", "not a selector"),
    ("type:NoSuchLayer", "matches no parameter of this backbone"),
    ("type:ReLU", "matches no parameter of this backbone"),  # it is there, but has none
    ("peft", "strategy.peft put nothing in; choose one, such as strategy=lora"),
    ("tower:text.stages[0]", "this backbone has no such tower; it is a single tower; write stages[...]"),
    ("re:no_such_layer", "matches no parameter of this backbone"),
    ("re:(", "not a regular expression"),
])  # fmt: skip
def test_what_cannot_be_read_or_matches_nothing_is_told(cut: Cut, selector: str, said: str) -> None:
    stages = cut(RESNET)
    for field in ("train", "freeze"):
        (problem,) = refused(stages, selector) if field == "train" else refused(stages, "all", freeze=[selector])
        assert (problem.key, problem.value) == (f"strategy.phases.0.{field}", selector)
        assert said in problem.message


def test_a_network_without_norms_has_none_to_choose(cut: Cut) -> None:
    (problem,) = refused(cut("vgg16"), "norm")
    assert problem.message == "matches no parameter of this backbone"


def test_every_problem_is_told_at_once(cut: Cut) -> None:
    problems = refused(cut(RESNET), "haed", "stages[99]", freeze=["re:["])
    assert [problem.value for problem in problems] == ["haed", "stages[99]", "re:["]
