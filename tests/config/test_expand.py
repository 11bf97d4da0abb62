"""Many trials from one: ``vary`` changes settings of a composed trial, ``expand`` multiplies a request."""

from __future__ import annotations

import itertools

import pytest

import tlx
from tlx.config.compose import expand, vary
from tlx.config.errors import ConfigError

BASE = ("backbone=resnet18", "dataset=digits")


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("strategy.lr", 0.03, "0.03"),
        ("dataset.shots", 5, "5"),
        ("seed", 4, "4"),
        ("strategy.budget", "7 epochs", "'7 epochs'"),
        ("strategy.optimizer.name", "sgd", "sgd"),
        ("strategy.phases.0.train", ["head", "norm"], "[head,norm]"),
        ("strategy.backbone_lr", None, "null"),
    ],
)
def test_varying_is_composing_with_the_override(key: str, value: object, written: str) -> None:
    varied = vary(tlx.compose(BASE), {key: value})
    assert varied == tlx.compose([*BASE, f"{key}={written}"])


def test_varying_leaves_the_trial_as_it_was() -> None:
    trial = tlx.compose(BASE)
    varied = vary(trial, {"strategy.lr": 0.5, "seed": 9})
    assert (varied.strategy.lr, varied.seed) == (0.5, 9)
    assert trial == tlx.compose(BASE)


@pytest.mark.parametrize(
    ("key", "value"),
    [("strategy.lrr", 1.0), ("strategy.lr", "fast"), ("strategy.keep", "worst"), ("strategy.lr", -1.0)],
)
def test_varying_checks(key: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        vary(tlx.compose(BASE), {key: value})
    assert [(p.key, p.value) for p in caught.value.problems] == [(key, value)]


def test_expanding_is_the_product_with_the_last_override_fastest() -> None:
    axes = {"backbone": ["resnet18", "vit_tiny"], "seed": ["0", "1", "2"], "strategy.lr": ["0.1", "0.2"]}
    overrides = [f"{key}={','.join(values)}" for key, values in axes.items()]
    expected = [
        [f"{key}={value}" for key, value in zip(axes, choice, strict=True)]
        for choice in itertools.product(*axes.values())
    ]
    assert expand(overrides) == expected


@pytest.mark.parametrize(
    ("overrides", "trials"),
    [
        ([], [[]]),
        (["seed=1", "output=x"], [["seed=1", "output=x"]]),
        (["seed=range(0,3)"], [["seed=0"], ["seed=1"], ["seed=2"]]),
        (["seed=choice(4,2)"], [["seed=4"], ["seed=2"]]),
        (["strategy.phases.0.train=[a,b]"], [["strategy.phases.0.train=[a,b]"]]),
        (["strategy.budget='3 epochs','9 steps'"], [["strategy.budget='3 epochs'"], ["strategy.budget='9 steps'"]]),
        (["strategy=glob(lo*)"], [["strategy=logistic"], ["strategy=lora"]]),
    ],
)
def test_expanding_knows_hydras_grammar(overrides: list[str], trials: list[list[str]]) -> None:
    assert expand(overrides) == trials


def test_every_expanded_trial_composes_to_its_own_values() -> None:
    trials = [tlx.compose(words, whole=False) for words in expand([*BASE, "seed=0,1", "strategy.lr=0.1,0.2"])]
    assert [(t.seed, t.strategy.lr) for t in trials] == [(0, 0.1), (0, 0.2), (1, 0.1), (1, 0.2)]


@pytest.mark.parametrize("text", ["seed=1,,2", "seed=[1", "seed", "seed=interval(0,1)"])
def test_expanding_refuses_what_is_no_sweep(text: str) -> None:
    with pytest.raises(ConfigError):
        expand([*BASE, text])
