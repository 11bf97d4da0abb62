"""AutoFreeze: decisions on given gradients, replayed by what the authors' code computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.backbones import bare
from tests.strategies.conftest import of
from tlx.backbones.partition.stages import Stage, stages
from tlx.columns.batch import Batch
from tlx.config.strategy_parts import Controller as Options
from tlx.strategies.controllers import AutoFreeze, controller

Intervals = list[list[list[list[np.ndarray[Any, Any]]]]]  # of steps, of layers, of a weight and a bias


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


def published(intervals: Intervals, percentile: float) -> list[int]:
    """The first layer that goes on training after each interval, by what github.com/YuhanLiu11/AutoFreeze computes.

    It adds up the gradient of every tensor over an interval, takes the L1 norm of the sum, and has a layer that gets no
    gradient any more, because it is frozen, count as one that did not change.
    """
    start, earlier, found = 0, None, []
    for steps in intervals:
        norms = [
            sum(np.abs(sum(step[layer][part] for step in steps)).sum() for part in (0, 1))
            for layer in range(len(steps[0]))
        ]
        norms = [norm if layer >= start else 0.0 for layer, norm in enumerate(norms)]
        if earlier is not None:
            ratios = [abs(was - is_) / was if is_ > 0 else 0.0 for was, is_ in zip(earlier, norms, strict=True)]
            threshold = np.percentile(ratios[start:], percentile)
            start = next(layer for layer, ratio in enumerate(ratios) if ratio >= threshold)
        earlier = norms
        found.append(start)
    return found


def random_intervals(seed: int, layers: int) -> Intervals:
    """Gradients of a weight and a bias of each layer, which keep a direction more or less."""
    draw = np.random.default_rng(seed)
    lasting = [[draw.normal(size=(2, 2)), draw.normal(size=2)] for _ in range(layers)]
    noise = draw.uniform(0.2, 3, size=layers)
    shape = (int(draw.integers(3, 7)), int(draw.integers(1, 5)))
    return [
        [
            [
                [part + noise[layer] * draw.normal(size=part.shape) for part in parts]
                for layer, parts in enumerate(lasting)
            ]
            for _ in range(shape[1])
        ]
        for _ in range(shape[0])
    ]


def decisions(model: nn.Module, network: list[Stage], intervals: Intervals, percentile: float) -> list[int]:
    """How many stages are frozen after each interval."""
    one, found = AutoFreeze(Options(kind="autofreeze", percentile=percentile), network), list[int]()
    for steps in intervals:
        for step in steps:
            for depth, stage in enumerate(network[:-1]):
                frozen = depth < (found[-1] if found else 0)
                for parameter, gradient in zip(stage.parameters(), step[depth], strict=True):
                    parameter.grad = None if frozen else torch.from_numpy(gradient).float()
            one.observe(model, 1.0)
        settled = one.decide(model, Batch(torch.arange(0), {}), 1.0)
        found.append(next(i for i in range(len(network)) if settled == of(network[:i])))
    return found


def test_200_random_runs_are_decided_as_published_and_never_thaw() -> None:
    torch.manual_seed(0)
    layers = 6
    body = nn.Sequential()
    body.add_module("blocks", nn.Sequential(*(nn.Linear(2, 2) for _ in range(layers))))
    model = bare.network(body, 2, 3)
    network, depths = stages(model), set[int]()
    for seed in range(200):
        percentile = (10.0, 50.0, 50.0, 90.0)[seed % 4]
        intervals = random_intervals(seed, layers)
        found = decisions(model, network, intervals, percentile)
        assert found == published(intervals, percentile), seed
        assert found == sorted(found)
        depths.add(found[-1])
    assert depths == set(range(layers))  # the deepest stage of the backbone stays, and so does the head


def test_gradients_that_cancel_out_are_none(linears: nn.Module) -> None:
    """A stage that is pushed to and fro has a small sum of gradients, whatever their sizes."""
    one = fresh(linears)
    round_of(one, linears, (10, 10, 10))
    for scale in (1.0, -1.0, 1.0):
        gradients(linears, (9, 8, 30), scale)
        one.observe(linears, 1.0)
    assert one.decide(linears, Batch(torch.arange(0), {}), 1.0) == of(stages(linears)[:1])  # changes 0.1 0.2 2.0


def test_it_holds_one_tensor_for_each_active_parameter(linears: nn.Module) -> None:
    one = fresh(linears)
    round_of(one, linears, (10, 10, 10))
    assert round_of(one, linears, (9, 8, 5)) == 1
    gradients(linears, (0, 8, 5))
    for _ in range(3):
        one.observe(linears, 1.0)
    held = list(one.state()["sums"].values())
    assert set(one.state()["sums"]) == of(stages(linears)[1:3])
    assert sum(tensor.numel() for tensor in held) == sum(stage.count for stage in stages(linears)[1:3])


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
