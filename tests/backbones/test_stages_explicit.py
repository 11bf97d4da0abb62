"""Stages by patterns of one's own: the order is the list's, the first pattern found decides, nothing is left over."""

from __future__ import annotations

import pytest
from torch import nn

from tests.backbones.test_stages import on_meta
from tlx.backbones.partition.stages import HEAD, stages

LAYERS = ("^conv1|^bn1", "^layer1", "^layer[23]", "^layer4")


def test_stages_are_the_patterns_in_their_order() -> None:
    model = on_meta("resnet18")
    cut = stages(model, explicit=LAYERS)
    names = [name for name, _ in model.named_parameters()]
    expected = [
        [n for n in names if n.startswith(("conv1.", "bn1."))],
        [n for n in names if n.startswith("layer1.")],
        [n for n in names if n.startswith(("layer2.", "layer3."))],
        [n for n in names if n.startswith("layer4.")],
        ["fc.weight", "fc.bias"],
    ]
    assert [list(stage.names) for stage in cut] == expected
    assert cut[-1].name == HEAD
    assert len({stage.name for stage in cut}) == len(cut)


def test_the_first_pattern_that_is_found_decides() -> None:
    first, rest, head = stages(on_meta("resnet18"), explicit=["bn", "."])
    assert all("bn" in name for name in first.names)
    assert not any("bn" in name for name in rest.names)
    assert head.name == HEAD


def test_patterns_speak_of_the_backbone_and_not_of_the_task() -> None:
    model = nn.Module()
    model.backbone, model.head = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), nn.Linear(2, 2)
    assert [stage.names for stage in stages(model, explicit=["^1", "^0"])] == [
        ("backbone.1.weight", "backbone.1.bias"),
        ("backbone.0.weight", "backbone.0.bias"),
        ("head.weight", "head.bias"),
    ]


def test_what_no_pattern_finds_is_named() -> None:
    with pytest.raises(ValueError, match=r"match none of the patterns: layer4.0.conv1.weight"):
        stages(on_meta("resnet18"), explicit=LAYERS[:-1])


@pytest.mark.parametrize("idle", ["^layer9", "^layer1.0", "^layer4"])
def test_a_pattern_that_finds_nothing_or_comes_too_late_is_named(idle: str) -> None:
    with pytest.raises(ValueError, match=r"match no parameter .*: \^layer"):
        stages(on_meta("resnet18"), explicit=[*LAYERS, idle])
