"""A size that a network cannot take is refused in the plan, with the nearest that it can: each is tried for real."""

from __future__ import annotations

import pytest
import torch

from tlx.backbones import input_sizes
from tlx.backbones.load import load, outline
from tlx.columns import Column, Image
from tlx.composition.compose import compose
from tlx.config.backbone import Input, TimmBackbone
from tlx.config.errors import ConfigError
from tlx.planning.trial_plan import outline as outline_of_trial

COLUMNS: dict[str, Column] = {"image": Image("image", channels=1)}


def config(name: str, size: int) -> TimmBackbone:
    return TimmBackbone(modality="image", name=name, weights="none", input=Input(size=size))


def works(name: str, size: int) -> bool:
    """Does the network compute something of real images?"""
    made = load(config(name, size), columns=COLUMNS, pretrained=False)
    try:
        with torch.no_grad():
            return bool(made.module.eval()(**made.example(1)).shape == (1, made.width))
    except (AssertionError, RuntimeError):
        return False


@pytest.mark.parametrize(
    ("name", "size", "near"),
    [("test_vit", 65, [64, 80]), ("test_vit", 7, [16]), ("test_convnext", 24, [32]), ("test_resnet", 33, [])],
)
def test_the_nearest_sizes_are_those_that_work(name: str, size: int, near: list[int]) -> None:
    asked = config(name, size)
    with torch.device("meta"):
        made = outline(asked, columns=COLUMNS)
    before = torch.get_rng_state()
    found = input_sizes.problem(asked, made)
    assert torch.equal(torch.get_rng_state(), before)
    assert (found is None) == works(name, size) == (not near)
    if found is not None:
        assert found.key == "backbone.input.size"
        assert found.message.endswith(f"work: {' and '.join(map(str, near))}")
        assert all(works(name, one) for one in near)
        assert not works(name, near[-1] - 1)


def test_a_plan_refuses_the_size() -> None:
    words = ["backbone=timm", "backbone.name=test_vit", "backbone.weights=none", "backbone.input.size=65"]
    with pytest.raises(ConfigError, match=r"backbone\.input\.size = 65 .*64 and 80"):
        outline_of_trial(compose([*words, "dataset=digits"]))
