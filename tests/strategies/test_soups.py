"""Means of several states and lines between two: exact ends, and recipes against brute force."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from tlx.backbones.weights import State
from tlx.strategies.averaging import Measure, between, greedy_soup, mean, wise_ft


def state(seed: int, dtype: torch.dtype = torch.float32) -> State:
    draw = torch.Generator().manual_seed(seed)
    return {
        "weight": torch.randn(6, generator=draw).to(dtype),
        "mean": torch.randn(2, generator=draw).to(dtype),
        "count": torch.tensor(seed),
    }


def same(first: State, second: State) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])


@DTYPES
def test_the_ends_of_the_line_are_exact(dtype: torch.dtype) -> None:
    for seed in range(20):
        start, end = state(seed, dtype), state(seed + 100, dtype)
        assert same(between(start, end, 0.0), {**start, "count": end["count"]})
        assert same(between(start, end, 1.0), end)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_the_line_is_straight(share: float) -> None:
    start, end = state(1), state(2)
    point = between(start, end, share)
    for name in ("weight", "mean"):
        expected = (1 - share) * start[name].double().numpy() + share * end[name].double().numpy()
        np.testing.assert_allclose(point[name].numpy(), expected, rtol=1e-6)
        assert point[name].dtype == torch.float32
    assert point["count"] is end["count"]


@DTYPES
def test_a_mean_of_one_is_itself_and_of_equals_too(dtype: torch.dtype) -> None:
    one = state(3, dtype)
    assert same(mean([one]), one)
    assert same(mean([one] * 7), one)


def test_a_mean_is_numpys_and_counts_are_the_firsts() -> None:
    states = [state(seed) for seed in range(5)]
    found = mean(states)
    for name in ("weight", "mean"):
        np.testing.assert_allclose(found[name].numpy(), np.mean([s[name].numpy() for s in states], axis=0), rtol=1e-5)
    assert int(found["count"]) == 0


def towards(target: Tensor) -> Measure:
    """Validation: the nearer to a target, the better."""

    def measure(candidate: State) -> float:
        return -float((candidate["weight"].double() - target).pow(2).sum())

    return measure


def recipe(
    ingredients: Sequence[np.ndarray[tuple[int], np.dtype[np.float64]]],
    target: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> list[int]:
    """Recipe 1 of Wortsman et al. 2022, as it is printed: which ingredients are kept."""
    kept: list[int] = []
    for i in range(len(ingredients)):
        with_it = -np.sum((np.mean([ingredients[j] for j in [*kept, i]], axis=0) - target) ** 2)
        without = -np.sum((np.mean([ingredients[j] for j in kept], axis=0) - target) ** 2) if kept else -np.inf
        if with_it >= without:
            kept.append(i)
    return kept


@pytest.mark.parametrize("seed", range(25))
def test_a_greedy_soup_is_the_printed_recipe_and_never_worse_than_its_best_ingredient(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    target = torch.randn(6, generator=draw, dtype=torch.float64)
    measure = towards(target)
    states: list[State] = [{"weight": torch.randn(6, generator=draw, dtype=torch.float64)} for _ in range(6)]
    states.sort(key=measure, reverse=True)
    soup = greedy_soup(states, measure)
    kept = recipe([s["weight"].numpy() for s in states], target.numpy())
    np.testing.assert_allclose(soup["weight"].numpy(), np.mean([states[i]["weight"].numpy() for i in kept], axis=0))
    assert measure(soup) >= measure(states[0]) - 1e-12


def test_recipes_differ_in_length() -> None:
    """The cases above are not all of one kind."""
    lengths = set()
    for seed in range(25):
        rng = np.random.default_rng(seed)
        target, found = rng.normal(size=6), rng.normal(size=(6, 6))
        lengths.add(len(recipe(sorted(found, key=lambda one: float(np.sum((one - target) ** 2))), target)))
    assert {1, 2, 3} & lengths
    assert len(lengths) > 2


def test_an_ingredient_that_changes_nothing_is_kept() -> None:
    seen: list[float] = []

    def always_even(candidate: State) -> float:
        seen.append(float(candidate["weight"][0]))
        return 1.0

    soup = greedy_soup([{"weight": torch.tensor([float(i)])} for i in range(4)], always_even)
    assert float(soup["weight"][0]) == 1.5
    assert seen == [0.0, 0.5, 1.0, 1.5]


def test_one_ingredient_is_the_soup() -> None:
    one = state(5)
    assert same(greedy_soup([one], lambda candidate: 0.0), one)


@pytest.mark.parametrize("best", [0.0, 0.3, 0.7, 1.0])
def test_wise_ft_picks_the_best_point(best: float) -> None:
    shares = [i / 10 for i in range(11)]
    start, end = {"weight": torch.zeros(3)}, {"weight": torch.ones(3)}
    for _ in range(3):
        random.Random(0).shuffle(shares)
        found, share = wise_ft(start, end, shares, lambda point: -abs(float(point["weight"][0]) - best))
        assert share == best
        torch.testing.assert_close(found["weight"], torch.full((3,), best))


def test_of_equals_wise_ft_takes_the_one_nearer_the_end() -> None:
    start, end = {"weight": torch.zeros(1)}, {"weight": torch.ones(1)}
    assert wise_ft(start, end, [0.0, 0.5, 0.2, 1.0, 0.8], lambda point: 0.0)[1] == 1.0
    rounded = wise_ft(start, end, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0], lambda point: float(point["weight"][0] < 0.7))
    assert rounded[1] == 0.6
    assert same(wise_ft(start, end, [1.0], lambda point: 0.0)[0], end)
