"""AutoFreeze: decisions on given gradient sums, replayed from the paper's three lines."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from tests.strategies.conftest import of
from tlx.backbones.partition.stages import stages
from tlx.columns.batch import Batch
from tlx.config.strategy_parts import Controller as Options
from tlx.strategies.controllers import AutoFreeze, controller


def fresh(model: nn.Module, percentile: float = 50.0) -> AutoFreeze:
    found = controller(Options(kind="autofreeze", percentile=percentile), stages(model))
    assert isinstance(found, AutoFreeze)
    return found


def gradients(model: nn.Module, sums: Sequence[float], scale: float = 1.0) -> None:
    """Gradients whose L1 norms over each backbone stage are these; the head's are large; what is frozen has none."""
    for stage, total in zip(stages(model), [*sums, 1e6], strict=True):
        for parameter in stage.parameters():
            sign = torch.where(torch.arange(parameter.numel()) % 2 == 0, 1.0, -1.0).reshape(parameter.shape)
            parameter.grad = sign * total * scale / stage.count if total else None


def round_of(one: AutoFreeze, model: nn.Module, *steps: Sequence[float], scale: float = 1.0) -> int:
    """How many stages are frozen after a round of such steps."""
    for sums in steps:
        gradients(model, sums, scale)
        one.observe(model, scale)
    nothing = Batch(torch.arange(0), {})
    settled = one.decide(model, nothing, 1.0)
    depth = next(i for i in range(len(stages(model))) if settled == of(stages(model)[:i]))  # always whole stages
    return depth


def test_the_first_round_only_measures(linears: nn.Module) -> None:
    assert round_of(fresh(linears), linears, (1, 1, 1)) == 0


@pytest.mark.parametrize(("percentile", "before", "now", "frozen"), [
    (50, (10, 10, 10), (9, 8, 5), 1),  # changes 0.1 0.2 0.5, median 0.2: the second reaches it
    (50, (10, 10, 10), (5, 9, 8), 0),  # the first changed most
    (50, (10, 10, 10), (11, 15, 12), 1),  # a rise is a change as well: 0.1 0.5 0.2
    (50, (10, 1000, 10), (9, 990, 5), 0),  # relative: 0.1 0.01 0.5
    (100, (10, 10, 10), (9, 8, 5), 2),
    (100, (10, 10, 10), (9, 5, 8), 1),
    (0, (10, 10, 10), (9, 8, 5), 0),
    (50, (10, 10, 10), (10, 10, 10), 0),  # all stand still: none is below the others
    (75, (10, 10, 10), (9, 8, 5), 2),  # 0.35 lies between the second and the third
])  # fmt: skip
def test_the_prefix_ends_before_the_first_that_changes_enough(
    linears: nn.Module, percentile: float, before: Sequence[float], now: Sequence[float], frozen: int
) -> None:
    one = fresh(linears, percentile)
    assert round_of(one, linears, before) == 0
    assert round_of(one, linears, now) == frozen


def test_a_round_sums_over_its_steps(linears: nn.Module) -> None:
    one = fresh(linears)
    round_of(one, linears, (5, 1, 9), (5, 9, 1))
    assert round_of(one, linears, (8, 3, 1), (1, 5, 4)) == 1  # 9, 8, 5 against 10 each


def test_a_scaled_gradient_is_measured_unscaled(linears: nn.Module) -> None:
    one = fresh(linears)
    round_of(one, linears, (10, 10, 10), scale=1024.0)
    assert round_of(one, linears, (9, 8, 5), scale=2.0) == 1


def published(rounds: Sequence[Sequence[float]], percentile: float) -> list[int]:
    """The paper's rule (Liu et al. 2021, section 4): start of the active layers after each round."""
    start, found = 0, [0]
    for before, now in pairwise(rounds):
        eta = [abs(b - n) / b for b, n in zip(before, now, strict=True)]
        bar = np.percentile(eta[start:], percentile)
        while eta[start] < bar:
            start += 1
        found.append(start)
    return found


@pytest.mark.parametrize("percentile", [10.0, 50.0, 90.0])
@pytest.mark.parametrize("seed", range(8))
def test_a_whole_run_is_as_published_and_never_thaws(linears: nn.Module, seed: int, percentile: float) -> None:
    draw = random.Random(seed)
    rounds = [[draw.uniform(1, 10) for _ in range(3)] for _ in range(6)]
    one = fresh(linears, percentile)
    found: list[int] = []
    for sums in rounds:
        frozen = found[-1] if found else 0
        found.append(round_of(one, linears, [0.0 if i < frozen else total for i, total in enumerate(sums)]))
    assert found == published(rounds, percentile)
    assert found == sorted(found)
    assert max(found) < 3  # the deepest stage of the backbone stays, and so does the head


@pytest.mark.parametrize("rounds", [[(0, 10, 10), (0, 9, 5)], [(0, 10, 10), (10, 9, 5)], [(0, 0, 10), (0, 0, 9)]])
def test_what_a_phase_kept_frozen_has_not_settled(linears: nn.Module, rounds: list[Sequence[float]]) -> None:
    """Else gradual unfreezing would never unfreeze: ``settled`` is taken from every later phase."""
    one = fresh(linears)
    for sums in rounds:
        gradients(linears, sums)
        one.observe(linears, 1.0)
        nothing = Batch(torch.arange(0), {})
        assert not one.decide(linears, nothing, 1.0) & of(stages(linears)[:1])


def test_saved_in_the_middle_of_a_round_it_decides_alike(linears: nn.Module) -> None:
    one, other = fresh(linears), fresh(linears)
    round_of(one, linears, (10, 10, 10))
    gradients(linears, (8, 3, 1))
    one.observe(linears, 1.0)
    other.load(one.state())
    assert other.settled == one.settled
    found = [(round_of(a, linears, (1, 5, 4)), round_of(a, linears, (9, 1, 1))) for a in (one, other)]
    assert found[0] == found[1]
    assert found[0][0] == 1
