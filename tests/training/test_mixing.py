"""Mixed batches are what Mixup and CutMix say, and a pure function of seed, step and share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

import tlx
from tests.training.conftest import Compose
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec
from tlx.config.dataset import Digits
from tlx.config.errors import ConfigError
from tlx.tasks.protocol import StepOutput
from tlx.training.build import build
from tlx.training.mixing import Mixing, mixing

SPEC = ImageSpec(3, 8, 6, (0.5, 0.4, 0.3), (0.25, 0.2, 0.3))


class Net(nn.Module):
    """A linear network that says what it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.specs = {"image": SPEC}
        self.linear = nn.Linear(3 * 8 * 6, 4)
        self.seen: list[Tensor] = []

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        self.seen.append(inputs["image"])
        found: Tensor = self.linear(inputs["image"].flatten(1))
        return found


class CrossEntropy:
    """As a task of classification."""

    form = "vector"

    def training_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        return StepOutput(F.cross_entropy(model(batch.inputs), batch.targets["label"]), len(batch))


def batch(count: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(256, (count, 3, 8, 6), dtype=torch.uint8, generator=generator)
    return Batch(torch.arange(count), {"image": images}, {"label": torch.arange(count) % 4})


def share_of(kind: str, mixed: Tensor, image: Tensor, other: Tensor) -> float:
    """How much of the image is in the mixture, by least squares or by counting pixels."""
    if kind == "cutmix":
        assert ((mixed == image) | (mixed == other)).all()
        return 1 - float((mixed != image).any(0).float().mean())
    share = float(((mixed - other) * (image - other)).sum() / (image - other).pow(2).sum())
    torch.testing.assert_close(mixed, share * image + (1 - share) * other, atol=1e-4, rtol=0)
    return share


@given(kind=st.sampled_from(["mixup", "cutmix"]), seed=st.integers(0, 99), step=st.integers(0, 99))
def test_the_loss_is_that_of_soft_targets(kind: str, seed: int, step: int) -> None:
    model, given_batch = Net(), batch()
    task: Any = CrossEntropy()
    out = Mixing(kind, 0.4, 1.0, seed).mixed(model, given_batch, step, 0).training_step(task, model)
    (mixed,) = model.seen  # one pass for both targets
    plain = SPEC.normalise(given_batch.inputs["image"])
    order, shares = [], []
    for number, one in enumerate(mixed):
        errors = []
        for partner in range(len(plain)):
            try:
                errors.append((partner, share_of(kind, one, plain[number], plain[partner])))
            except AssertionError:
                continue
        errors = [found for found in errors if found[0] != number] or errors
        order.append(errors[0][0] if errors else number)
        shares.append(errors[0][1] if errors else 1.0)
    labels = given_batch.targets["label"]
    moved = [share for number, share in enumerate(shares) if order[number] != number]
    own = moved[0] if moved else 1.0
    soft = own * F.one_hot(labels, 4) + (1 - own) * F.one_hot(labels[torch.tensor(order)], 4)
    if all(0.02 < share < 0.98 for share in moved):  # else the partner cannot be told from the pixels
        assert out.loss is not None
        torch.testing.assert_close(
            out.loss, F.cross_entropy(model.linear(mixed.flatten(1)), soft), atol=1e-3, rtol=1e-3
        )


@given(seed=st.integers(0, 99), step=st.integers(0, 99))
def test_a_cut_is_the_same_of_every_image_of_an_example(seed: int, step: int) -> None:
    """And the loss has the share of what is left of them."""

    class Two(Net):
        """Of two images of one size."""

        def __init__(self) -> None:
            super().__init__()
            self.specs = {"image": SPEC, "again": SPEC}

    given_batch = batch()
    given_batch.inputs["again"] = given_batch.inputs["image"].clone()
    found = Mixing("cutmix", 0.4, 1.0, seed).mixed(Two(), given_batch, step, 0)
    assert torch.equal(found.batch.inputs["image"], found.batch.inputs["again"])
    plain = SPEC.normalise(given_batch.inputs["image"])
    kept = (found.batch.inputs["image"] == plain).all(1).float().mean((1, 2))
    assert float(kept.min()) == pytest.approx(found.own, abs=0.02)  # two images have some pixels alike


def test_the_strength_of_a_mixture_that_is_not_made_is_refused() -> None:
    base = ["backbone=narrow_resnet", "dataset=digits"]
    for mix, other in (("none", "mixup"), ("cutmix", "mixup"), ("mixup", "cutmix")):
        with pytest.raises(ConfigError, match=f"is of dataset.mix={other}, and that is {mix}"):
            tlx.compose([*base, f"dataset.mix={mix}", f"dataset.{other}_alpha=0.5"])
        tlx.compose([*base, "dataset.mix=both", f"dataset.{other}_alpha=0.5"])


def test_steps_shares_and_seeds_differ_and_repeat() -> None:
    def seen(seed: int, step: int, share: int) -> Tensor:
        model, task = Net(), CrossEntropy()
        Mixing("both", 0.4, 1.0, seed).mixed(model, batch(), step, share).training_step(task, model)  # type: ignore[arg-type]
        return model.seen[0]

    first = seen(0, 0, 0)
    assert torch.equal(first, seen(0, 0, 0))
    assert all(not torch.equal(first, seen(*other)) for other in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))


def test_what_is_known_of_an_example_goes_with_its_target() -> None:
    given_batch = batch(8)
    weights, known = torch.arange(1.0, 9.0), [f"site {number}" for number in range(8)]
    given_batch.meta = {"weight": weights, "site": known}
    found = Mixing("mixup", 10.0, 1.0, 0).mixed(Net(), given_batch, 0, 0)
    order = (found.other.meta["weight"] - 1).long()
    assert sorted(order.tolist()) == list(range(8))
    assert order.tolist() != list(range(8))
    assert found.other.targets["label"].tolist() == given_batch.targets["label"][order].tolist()
    assert found.other.meta["site"] == [known[number] for number in order]
    assert found.other.index.tolist() == order.tolist()
    plain = SPEC.normalise(given_batch.inputs["image"])
    torch.testing.assert_close(found.batch.inputs["image"], found.own * plain + (1 - found.own) * plain[order])
    assert torch.equal(found.batch.meta["weight"], weights)


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_a_network_that_has_not_moved_differs_in_nothing_from_its_start(small: Compose, mix: str) -> None:
    """DELTA's distance is between the maps of one image, mixed or not: nothing before the first step."""
    trial = small("strategy=delta", "backbone=narrow_resnet", f"dataset.mix={mix}", f"dataset.{mix}_alpha=10")
    module = build(trial).module.eval()
    assert module.penalty is not None
    one = next(iter(module.data.train_loader(module.epochs, 0, 1)))
    alone, spread = SimpleNamespace(global_step=0, global_rank=0, world_size=1), SimpleNamespace(add=lambda *_: None)
    module._trainer, module.ctx.losses = alone, spread  # type: ignore[assignment]
    found: list[float] = []
    usual = module.penalty.value
    module.penalty.value = lambda: found.append(float(usual())) or usual()  # type: ignore[method-assign, func-returns-value]
    with torch.no_grad():
        module.training_step(one, 0)
    assert found == [0.0]


def test_nothing_is_mixed_unless_asked_for() -> None:
    assert mixing(Digits(), 0, CrossEntropy()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_workers_change_nothing_of_a_mixed_trial(small: Compose, mix: str) -> None:

    words = (f"dataset.mix={mix}", "strategy=fine_tune")
    whole = tlx.train(small(*words, "output=whole"))
    again = tlx.train(small(*words, "output=again", "hardware.workers=1"))
    assert whole.metrics == again.metrics
