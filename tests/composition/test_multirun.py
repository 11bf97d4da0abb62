"""Many trials from one: ``with_overrides`` changes settings of a composed trial, ``expand`` multiplies a request."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import tlx
from tlx.composition.compose import with_overrides
from tlx.composition.multirun import expand, outline
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
    wanted = tlx.compose([*BASE, f"{key}={written}"])
    assert with_overrides(tlx.compose(BASE), {key: value}) == wanted
    assert tlx.compose(BASE, {key: value}) == wanted


def test_varying_leaves_the_trial_as_it_was() -> None:
    trial = tlx.compose(BASE)
    varied = with_overrides(trial, {"strategy.lr": 0.5, "seed": 9})
    assert (varied.strategy.lr, varied.seed) == (0.5, 9)
    assert trial == tlx.compose(BASE)


@pytest.mark.parametrize(
    ("key", "value"),
    [("strategy.lrr", 1.0), ("strategy.lr", "fast"), ("strategy.keep", "worst"), ("strategy.lr", -1.0)],
)
def test_varying_checks(key: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        with_overrides(tlx.compose(BASE), {key: value})
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
    trials = [tlx.compose(words) for words in expand([*BASE, "seed=0,1", "strategy.lr=0.1,0.2"])]
    assert [(t.seed, t.strategy.lr) for t in trials] == [(0, 0.1), (0, 0.2), (1, 0.1), (1, 0.2)]


@pytest.mark.parametrize("text", ["seed=1,,2", "seed=[1", "seed", "seed=interval(0,1)"])
def test_expanding_refuses_what_is_no_sweep(text: str) -> None:
    with pytest.raises(ConfigError):
        expand([*BASE, text])


@pytest.mark.parametrize("text", ["seed=range(0)", "seed=range(3,3)", "strategy=glob(nothing*)"])
def test_no_trial_at_all_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="no trials"):
        expand([*BASE, text])


def test_an_experiment_says_how_many_trials_a_sweep_may_have(folder: Path) -> None:
    head = "# @package _global_\ndefaults: [override /backbone: resnet18, override /dataset: digits]\n"
    (folder / "experiments").mkdir()
    (folder / "experiments/few.yaml").write_text(f"{head}sweep: {{max_trials: 2}}\n")
    assert len(expand(["experiment=few", "seed=1,2"])) == 2
    with pytest.raises(ConfigError, match=r"sweep\.max_trials=3"):
        expand(["experiment=few", "seed=1,2,3"])
    assert len(expand(["experiment=few", "seed=1,2,3", "sweep.max_trials=3"])) == 3


STUDY = """# @package _global_
defaults: [override /backbone: resnet18, override /dataset: digits]
study:
  question: "?"
  axis: dataset.shots
  points: [1]
  seeds: [0]
  control: a
  arms: {a: {overrides: []}}
"""


def test_a_study_is_told_by_what_is_composed(folder: Path) -> None:
    """Not by the lines of a file: one that inherits its study is one."""
    (folder / "experiments/papers").mkdir(parents=True)
    (folder / "experiments/parent.yaml").write_text(STUDY)
    child = folder / "experiments/papers/child.yaml"
    child.write_text("# @package _global_\ndefaults: [/experiment/parent, _self_]\nseed: 3\n")
    about = outline(["experiment=papers/child"])
    assert (about.kind, about.experiment, about.name) == ("study", "papers/child", "papers-child")
    assert outline(["experiment=parent,letters"]).kind == "sweep"
    assert outline(list(BASE)).kind == "sweep"


@pytest.mark.parametrize(
    ("word", "message"),
    [("study.seeds=0,1", r"study.seeds=\[0,1\]"), ("seed=1,2", "says itself what it varies")],
)
def test_a_study_takes_one_value_of_a_setting(folder: Path, word: str, message: str) -> None:
    (folder / "experiments").mkdir()
    (folder / "experiments/parent.yaml").write_text(STUDY)
    with pytest.raises(ConfigError, match=message):
        outline(["experiment=parent", word])
