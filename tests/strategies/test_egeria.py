"""Egeria: the front-most stage freezes once its activations stop moving; all thaw when the rate has fallen tenfold."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import fmean, linear_regression

import pytest
import timm
import torch
from torch import Tensor, nn

from tests.backbones import bare
from tests.strategies.conftest import MakeNet, batch, copies, moved, of
from tlx.backbones.partition.stages import stages
from tlx.columns.batch import Batch
from tlx.config.strategy_parts import Controller as Options
from tlx.strategies.controllers import Egeria, controller


def fresh(model: nn.Module, **options: float) -> Egeria:
    found = controller(Options(kind="egeria", **options), stages(model))  # type: ignore[arg-type]
    assert isinstance(found, Egeria)
    return found


def push(model: nn.Module, place: str, strength: float, seed: int) -> None:
    """Move a stage's weights in a random direction."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        weight = model.get_parameter(f"backbone.blocks.{place}.weight")
        weight.add_(strength * torch.randn(weight.shape, generator=draw))


def of_images(images: Tensor) -> Batch:
    return Batch(torch.arange(len(images)), {"image": images})


def data(seed: int = 5) -> Batch:
    return of_images(torch.randn(8, 4, generator=torch.Generator().manual_seed(seed)))


def frozen(one: Egeria, model: nn.Module, rate: float = 1.0) -> int:
    """How many stages are frozen after a check."""
    settled = one.decide(model, data(), rate)
    return next(i for i in range(len(stages(model))) if settled == of(stages(model)[:i]))


def wait_for_two(one: Egeria, model: nn.Module, rate: float) -> None:
    """Check a network that stands still until two stages are frozen."""
    assert 2 in (frozen(one, model, rate) for _ in range(12))


def test_what_stands_still_freezes_front_to_back_but_for_the_deepest(linears: nn.Module) -> None:
    """One check to have something to compare with, one to have a slope, then ``patience`` flat slopes."""
    one = fresh(linears, patience=3)
    found = [frozen(one, linears) for _ in range(14)]
    assert found[:5] == [0, 0, 0, 0, 1]
    assert found == sorted(found)
    assert set(found) == {0, 1, 2}


def test_what_moves_more_and_more_does_not_freeze(linears: nn.Module) -> None:
    one = fresh(linears, patience=2, window=4)
    for check in range(12):
        push(linears, "0", 0.02 * 1.5**check, check)
        assert frozen(one, linears) == 0


@pytest.mark.parametrize("place", ["1", "2"])
def test_only_the_front_most_active_stage_is_looked_at(linears: nn.Module, place: str) -> None:
    one = fresh(linears, patience=2, window=4)
    found = []
    for check in range(6):
        push(linears, place, 0.02 * 1.5**check, check)
        found.append(frozen(one, linears))
    assert found[-1] >= 1


def test_it_freezes_after_it_has_stopped_and_not_before(linears: nn.Module) -> None:
    one = fresh(linears, patience=3, window=4)
    found = []
    for check in range(20):
        if check < 6:
            push(linears, "0", 0.02 * 1.5**check, check)
        found.append(frozen(one, linears))
    assert max(found[:8]) == 0
    assert found[-1] >= 1


def test_a_patient_one_waits_longer(linears: nn.Module) -> None:
    when = []
    for patience in (1, 3, 6):
        one = fresh(linears, patience=patience)
        when.append(next(check for check in range(20) if frozen(one, linears)))
    assert when == [2, 4, 7]


@pytest.mark.parametrize(
    ("rates", "thaws"), [((1.0, 0.11), False), ((1.0, 0.1), True), ((0.5, 0.051), False), ((0.5, 0.04), True)]
)
def test_all_thaw_when_the_rate_has_fallen_tenfold(linears: nn.Module, rates: Sequence[float], thaws: bool) -> None:
    one = fresh(linears, patience=2)
    wait_for_two(one, linears, rates[0])
    assert frozen(one, linears, rates[1]) == (0 if thaws else 2)


def test_after_a_thaw_it_begins_anew_and_waits_for_another_tenfold(linears: nn.Module) -> None:
    one = fresh(linears, patience=2)
    wait_for_two(one, linears, 1.0)
    assert frozen(one, linears, 0.1) == 0
    wait_for_two(one, linears, 0.1)
    assert frozen(one, linears, 0.05) == 2
    assert frozen(one, linears, 0.01) == 0


def test_what_a_phase_keeps_frozen_has_not_settled(linears: nn.Module) -> None:
    """It stands still because it must. Else gradual unfreezing would never unfreeze."""
    linears.get_submodule("backbone").requires_grad_(False)
    one = fresh(linears, patience=2)
    assert [frozen(one, linears) for _ in range(8)] == [0] * 8


def first_freeze(values: Sequence[float], window: int, patience: int, tolerance: float) -> int | None:
    """After how many values the slope of their smoothed course has been flat ``patience`` times in a row."""
    steepest, calm = 0.0, 0
    for count in range(2, len(values) + 1):
        recent = values[max(0, count - window) : count]
        smooth = [fmean(recent[: i + 1]) for i in range(len(recent))]
        slope = abs(linear_regression(range(len(smooth)), smooth).slope)
        steepest = max(steepest, slope)
        calm = calm + 1 if slope <= tolerance * steepest else 0
        if calm == patience:
            return count
    return None


@pytest.mark.parametrize("seed", range(10))
def test_flat_means_flat_several_times_in_a_row(linears: nn.Module, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    draw = random.Random(seed)
    values = [draw.uniform(0, 1) for _ in range(30)]
    given = iter(values)
    monkeypatch.setattr(Egeria, "_plasticity", lambda *inputs: next(given))
    one = fresh(linears, window=3, patience=3, tolerance=0.4)
    found = [frozen(one, linears) for _ in range(31)]  # the first has nothing to compare with
    expected = first_freeze(values, 3, 3, 0.4)
    assert next((check for check, count in enumerate(found) if count), None) == expected


def plasticity(now: Tensor, then: Tensor) -> float:
    """Tung & Mori 2019, equation 4, in numpy's terms."""
    found = []
    for features in (now, then):
        flat = features.reshape(len(features), -1).numpy()
        gram = flat @ flat.T
        found.append(gram / (gram**2).sum(axis=1, keepdims=True) ** 0.5)
    return float(((found[0] - found[1]) ** 2).sum()) / len(now) ** 2


def test_what_it_measures_is_the_similarity_preserving_distance(linears: nn.Module) -> None:
    one = fresh(linears)
    x, layer = data().inputs["image"], linears.get_submodule("backbone.blocks.0")
    with torch.no_grad():
        then = layer(x)
        frozen(one, linears)
        push(linears, "0", 0.5, 1)
        now = layer(x)
        frozen(one, linears)
    assert one.history == pytest.approx([plasticity(now, then)], rel=1e-4)
    assert one.history[0] > 0


def test_a_stage_that_begins_with_a_downsampling_is_measured_at_its_own_block() -> None:
    """ConvNeXt's ``stages.1`` is the downsampling and the first block: what the second does is not its business."""
    torch.manual_seed(0)
    model = bare.network(timm.create_model("test_convnext", num_classes=0), 64, 3)
    one = Egeria(Options(kind="egeria"), stages(model))
    one.first = next(i for i, stage in enumerate(stages(model)) if "downsample" in stage.names[0])
    images = of_images(torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    for check in range(3):
        one.decide(model, images, 1.0)
        with torch.no_grad():
            model.get_parameter("backbone.stages.1.blocks.1.mlp.fc2.bias")[:4].add_(check + 1.0)
    assert one.history == [0.0, 0.0]


def test_a_check_leaves_the_network_as_it_was(net: MakeNet) -> None:
    model = net().train()
    model.get_submodule("backbone.blocks.0").eval()
    modes = [module.training for module in model.modules()]
    before = copies(model)
    one = Egeria(Options(kind="egeria"), stages(model))
    for _ in range(4):
        one.decide(model, of_images(batch()["image"]), 1.0)
    assert moved(model, before) == set()
    assert [module.training for module in model.modules()] == modes
    assert sum(len(module._forward_hooks) for module in model.modules()) == 0
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("when", [1, 4, 7, 10])
def test_saved_in_the_middle_it_decides_alike(linears: nn.Module, when: int) -> None:
    def walk(resumed_at: int | None) -> list[int]:
        model = linears
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                tensor.copy_(start[name])
        one, found = fresh(model, patience=2, window=4), []
        for check in range(16):
            if check == resumed_at:
                other = fresh(model, patience=2, window=4)
                other.load(one.state())
                one = other
            if check < 5:
                push(model, "0", 0.1, check)
            found.append(frozen(one, model, 1.0 if check < 13 else 0.05))
        return found

    start = copies(linears)
    through = walk(None)
    assert walk(when) == through
    assert {0, 1} <= set(through)
    assert through[13] == 0
