"""Merging neighbours: against every way to cut a short list, and within towers."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import pytest
import torch
from torch import nn

from tests.backbones.test_stages import on_meta
from tlx.backbones.partition.stages import HEAD, Stage, merge, stages, verify


def lines(sizes: list[int], tower: str = "") -> list[Stage]:
    """A stage of each size; the first parameter's name is the stage's."""
    model = nn.ParameterDict({f"s{i}": nn.Parameter(torch.empty(size)) for i, size in enumerate(sizes)})
    return [Stage(f"s{i}", model, (f"s{i}",), tower) for i in range(len(sizes))]


def by_trying_all(sizes: list[int], parts: int) -> list[int]:
    """Sizes of the runs of the best cut; of equal ones, that with the earliest borders."""

    def runs(borders: tuple[int, ...]) -> list[int]:
        return [sum(sizes[a:b]) for a, b in pairwise((0, *borders, len(sizes)))]

    ways = combinations(range(1, len(sizes)), parts - 1)
    return runs(min(ways, key=lambda borders: (max(runs(borders)), borders)))


@pytest.mark.parametrize("seed", range(30))
def test_the_largest_is_as_small_as_any_cut_makes_it(seed: int) -> None:
    draw = random.Random(seed)
    sizes = [draw.randint(1, 9) for _ in range(draw.randint(1, 8))]
    for most in range(1, 10):
        merged = merge(lines(sizes), most)
        assert [stage.count for stage in merged] == by_trying_all(sizes, min(most, len(sizes)))
        assert [name for stage in merged for name in stage.names] == [f"s{i}" for i in range(len(sizes))]


def test_merged_stages_say_from_where_to_where() -> None:
    assert [stage.name for stage in merge(lines([5, 1, 1, 1]), 2)] == ["s0", "s1 to s3"]


def test_the_head_is_not_merged_and_not_counted() -> None:
    model = on_meta("vit_tiny_patch16_224")
    cut = stages(model)
    merged = merge(cut, 4)
    verify(model, merged)
    assert len(merged) == 5
    assert merged[-1] == cut[-1]
    assert merged[-1].name == HEAD
    assert merge(cut, 99) == cut


def test_towers_are_merged_apart() -> None:
    cut = [*lines([1, 1, 1], "text"), *lines([1, 1, 1, 1], "image"), *lines([1])]
    merged = merge(cut, 2)
    assert [(stage.tower, stage.name) for stage in merged] == [
        ("text", "s0"),
        ("text", "s1 to s2"),
        ("image", "s0 to s1"),
        ("image", "s2 to s3"),
        ("", "s0"),
    ]


def test_ties_are_merged_too() -> None:
    model = nn.ParameterDict({"a": nn.Parameter(torch.empty(1)), "b": nn.Parameter(torch.empty(1))})
    assert merge([Stage("a", model, ("a",)), Stage("b", model, ("b",), tied=("c",))], 1)[0].tied == ("c",)


def test_fewer_than_one_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        merge(lines([1]), 0)
