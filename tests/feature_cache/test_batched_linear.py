"""Heads side by side are the same heads trained one by one by torch's own optimizers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, Optimizer
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from tlx.feature_cache.batched_linear import BatchedLinear, UpdateRule
from tlx.tasks import many

WIDTH, CLASSES, COUNT, STEPS = 7, 4, 9, 25
RATES = (0.5, 0.03, 1e-3, 0.1, 2.0)
DECAYS = (0.0, 0.3, 0.02, 1.0, 0.1)
SMOOTHING = (0.0, 0.1, 0.0, 0.5, 0.9)
ALLOWED = {torch.float64: 1e-12, torch.float32: 1e-5}
RULES: dict[str, tuple[UpdateRule, Callable[[Any], Optimizer]]] = {
    "adamw": (UpdateRule.of("adamw", 0.9, {}), partial(AdamW, lr=0.1)),
    "adamw of other arguments": (
        UpdateRule.of("adamw", 0.9, {"betas": [0.6, 0.95], "eps": 1e-3}),
        partial(AdamW, lr=0.1, betas=(0.6, 0.95), eps=1e-3),
    ),
    "adam": (UpdateRule.of("adam", 0.9, {"eps": 1e-6}), partial(Adam, lr=0.1, eps=1e-6)),
    "sgd": (UpdateRule.of("sgd", 0.8, {}), partial(SGD, lr=0.1, momentum=0.8, nesterov=True)),
    "sgd without momentum": (UpdateRule.of("sgd", 0.0, {}), partial(SGD, lr=0.1)),
}


def linears(dtype: torch.dtype, count: int = len(RATES)) -> list[nn.Linear]:
    torch.manual_seed(5)
    return [nn.Linear(WIDTH, CLASSES, dtype=dtype) for _ in range(count)]


def batches(dtype: torch.dtype, heads: int = len(RATES), steps: int = STEPS) -> list[tuple[Tensor, Tensor]]:
    """Each head's own examples and labels."""
    generator = torch.Generator().manual_seed(6)
    return [
        (
            torch.randn(heads, COUNT, WIDTH, generator=generator, dtype=torch.float64).to(dtype),
            torch.randint(0, CLASSES, (heads, COUNT), generator=generator),
        )
        for _ in range(steps)
    ]


def rate(number: int, step: int) -> float:
    """Each head has a schedule of its own."""
    return RATES[number] * (1 - step / STEPS) ** number


class Alone:
    """One head and torch's optimizer; its bias is never decayed."""

    def __init__(self, make: Callable[[Any], Optimizer], head: nn.Linear, number: int) -> None:
        self.head, self.number = head, number
        decayed = {"params": [head.weight], "weight_decay": DECAYS[number]}
        self.optimizer = make([decayed, {"params": [head.bias], "weight_decay": 0.0}])

    def step(self, features: Tensor, labels: Tensor, now: float) -> Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = now
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.head(features), labels, label_smoothing=SMOOTHING[self.number])
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.detach()


def own(features: Tensor) -> list[tuple[Tensor, int]]:
    """A group for each head."""
    return [(one, 1) for one in features]


def train(
    heads: BatchedLinear, chosen: Sequence[int], data: Sequence[tuple[Tensor, Tensor]], first: int = 0
) -> list[Tensor]:
    """Steps of the heads by these numbers; what they give."""
    found = []
    for step, (features, labels) in enumerate(data, start=first):
        index = torch.tensor(list(chosen))
        smoothing = torch.tensor([SMOOTHING[number] for number in chosen], dtype=features.dtype)
        losses = partial(many.losses, labels=labels[index], smoothing=smoothing)
        found.append(heads.step(own(features[index]), losses, [rate(number, step) for number in chosen]))
    return found


def far(one: nn.Linear, other: nn.Linear) -> float:
    pairs = ((one.weight, other.weight), (one.bias, other.bias))
    return max(float((a - b).detach().abs().max() / b.detach().abs().max().clamp(min=1)) for a, b in pairs)


@pytest.mark.parametrize("dtype", list(ALLOWED), ids=str)
@pytest.mark.parametrize("name", RULES)
def test_each_head_is_as_if_trained_alone(name: str, dtype: torch.dtype) -> None:
    rule, make = RULES[name]
    side, data = linears(dtype), batches(dtype)
    alone = [Alone(make, head, number) for number, head in enumerate(linears(dtype))]
    losses = train(BatchedLinear(side, rule, DECAYS), range(len(side)), data)
    for step, (features, labels) in enumerate(data):
        expected = [one.step(features[i], labels[i], rate(i, step)) for i, one in enumerate(alone)]
        torch.testing.assert_close(losses[step], torch.stack(expected), rtol=ALLOWED[dtype], atol=ALLOWED[dtype])
    untouched = linears(dtype)
    for number, (head, one) in enumerate(zip(side, alone, strict=True)):
        assert far(head, one.head) <= ALLOWED[dtype], number
        assert far(head, untouched[number]) > 1e-4, number


@pytest.mark.parametrize("sizes", [(5,), (2, 1, 2), (1, 4), (1, 1, 1, 1, 1)], ids=str)
@pytest.mark.parametrize("name", RULES)
def test_those_that_read_the_same_examples_are_as_if_trained_alone(name: str, sizes: tuple[int, ...]) -> None:
    """Groups of heads, each with examples of its own."""
    rule, make = RULES[name]
    dtype = torch.float64
    side = linears(dtype)
    alone = [Alone(make, head, number) for number, head in enumerate(linears(dtype))]
    heads = BatchedLinear(side, rule, DECAYS)
    group = [number for number, size in enumerate(sizes) for _ in range(size)]
    for step, (features, labels) in enumerate(batches(dtype)):
        shared = [(features[number], size) for number, size in enumerate(sizes)]
        smoothing = torch.tensor(SMOOTHING, dtype=dtype)
        losses = partial(many.losses, labels=labels, smoothing=smoothing)
        found = heads.step(shared, losses, [rate(number, step) for number in range(5)])
        expected = [one.step(features[group[i]], labels[i], rate(i, step)) for i, one in enumerate(alone)]
        torch.testing.assert_close(found, torch.stack(expected), rtol=1e-12, atol=1e-12)
    assert max(far(head, one.head) for head, one in zip(side, alone, strict=True)) <= 1e-12


def test_those_not_kept_stand_still_and_the_others_go_on() -> None:
    rule, make = RULES["adamw"]
    dtype = torch.float64
    side, data = linears(dtype), batches(dtype)
    heads = BatchedLinear(side, rule, DECAYS)
    train(heads, range(5), data[:6])
    left = {number: (side[number].weight.clone(), side[number].bias.clone()) for number in (0, 3)}
    heads.keep([1, 2, 4])
    train(heads, [1, 2, 4], data[6:12], first=6)
    heads.keep([0, 2])  # by their places among those that were left: numbers 1 and 4
    third = side[2].weight.clone()
    train(heads, [1, 4], data[12:], first=12)
    for number, (weight, bias) in left.items():
        assert torch.equal(side[number].weight, weight)
        assert torch.equal(side[number].bias, bias)
    assert torch.equal(side[2].weight, third)
    for number in (1, 4):
        one = Alone(make, linears(dtype)[number], number)
        for step, (features, labels) in enumerate(data):
            one.step(features[number], labels[number], rate(number, step))
        assert far(side[number], one.head) <= 1e-12, number


def test_none_may_be_left() -> None:
    side = linears(torch.float32)
    heads = BatchedLinear(side, RULES["sgd"][0], DECAYS)
    before = [head.weight.clone() for head in side]
    heads.keep([])
    assert all(torch.equal(head.weight, weight) for head, weight in zip(side, before, strict=True))


def test_the_modules_see_every_step_without_copying() -> None:
    """Their parameters are views of one tensor, still parameters, and still those an optimizer or a hook may hold."""
    side = linears(torch.float32)
    held = [(head.weight, head.bias) for head in side]
    heads = BatchedLinear(side, RULES["adamw"][0], DECAYS)
    for _ in range(2):
        (features, labels) = batches(torch.float32, len(side), 1)[0]
        train(heads, range(len(side)), [(features, labels)])
        logits = heads.outputs(own(features))
        for number, (head, (weight, bias)) in enumerate(zip(side, held, strict=True)):
            assert head.weight is weight
            assert head.bias is bias
            assert isinstance(head.weight, nn.Parameter)
            torch.testing.assert_close(head(features[number]), logits[number])
    assert len({head.weight.untyped_storage().data_ptr() for head in side}) == 1
    heads.keep([1, 3])
    assert len({side[number].weight.untyped_storage().data_ptr() for number in (1, 3)}) == 1
    assert len({head.weight.untyped_storage().data_ptr() for head in side}) == 4
    shared = torch.randn(20, WIDTH)
    expected = torch.stack([side[1](shared), side[3](shared)])
    torch.testing.assert_close(heads.outputs([(shared, 2)]), expected)


def test_one_that_diverges_leaves_the_others_alone() -> None:
    data = batches(torch.float32)
    side, fine = linears(torch.float32), linears(torch.float32)
    heads, others = (BatchedLinear(one, RULES["sgd"][0], DECAYS) for one in (side, fine))
    for features, labels in data:
        losses = partial(many.losses, labels=labels, smoothing=torch.zeros(5))
        heads.step(own(features), losses, [0.1, 1e30, 0.1, 0.1, 0.1])
        others.step(own(features), losses, [0.1] * 5)
    assert not side[1].weight.isfinite().all()
    for number in (0, 2, 3, 4):
        assert torch.equal(side[number].weight, fine[number].weight)


@pytest.mark.parametrize("dtype", list(ALLOWED), ids=str)
def test_losses_are_torchs_of_each_head(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = (4 * torch.randn(5, 30, 6, generator=generator, dtype=torch.float64)).to(dtype).requires_grad_()
    labels = torch.randint(0, 6, (5, 30), generator=generator)
    found = many.losses(logits, labels, torch.tensor(SMOOTHING, dtype=dtype))
    expected = torch.stack([F.cross_entropy(logits[i], labels[i], label_smoothing=s) for i, s in enumerate(SMOOTHING)])
    torch.testing.assert_close(found, expected, rtol=10 * ALLOWED[dtype], atol=ALLOWED[dtype])
    torch.testing.assert_close(
        torch.autograd.grad(found.sum(), logits), torch.autograd.grad(expected.sum(), logits), atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("present", ["all", "one"])
def test_measures_are_torchmetrics_of_each_head(classes: int, present: str) -> None:
    """Also where a class is neither there nor chosen, which a macro average leaves out."""
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(5, 41, classes, generator=generator)
    logits[0, :, 1:] -= 10  # a head that always says the first
    labels = torch.randint(0, classes if present == "all" else 1, (41,), generator=generator)
    for scores, found in zip(logits, many.metric_values(logits, labels), strict=True):
        assert list(found) == ["loss", "f1_macro", "acc"]
        acc, f1 = MulticlassAccuracy(classes, average="micro"), MulticlassF1Score(classes, average="macro")
        for part in (slice(0, 16), slice(16, 41)):
            acc.update(scores[part], labels[part])
            f1.update(scores[part], labels[part])
        assert found["acc"] == pytest.approx(float(acc.compute()), abs=1e-6)
        assert found["f1_macro"] == pytest.approx(float(f1.compute()), abs=1e-6)
        assert found["loss"] == pytest.approx(float(F.cross_entropy(scores, labels)), rel=1e-5)
