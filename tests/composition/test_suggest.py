"""What a request was meant to be: short forms are taken, and names from elsewhere are answered with ours."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import tlx
from tests.composition.told import BASE, the_problem
from tlx.components import groups
from tlx.composition import elsewhere
from tlx.composition.suggest import suggestion
from tlx.config.schema import GROUPS


@pytest.mark.parametrize(
    ("word", "long"),
    [
        ("strategy.optimizer=sgd", "strategy.optimizer.name=sgd"),
        ("strategy.schedule=linear", "strategy.schedule.shape=linear"),
        ("strategy.peft=ia3", "strategy.peft={kind: ia3}"),
        ("strategy.averaging=swa", "strategy.averaging={kind: swa}"),
        ("strategy.regulariser=bss", "strategy.regulariser={kind: bss}"),
        ("strategy.phases.0.schedule=constant", "strategy.phases.0.schedule={shape: constant}"),
    ],
)
def test_a_part_is_named_by_one_word(word: str, long: str) -> None:
    assert tlx.compose([*BASE, word]) == tlx.compose([*BASE, long])
    key, _, value = word.partition("=")
    assert tlx.compose(BASE, {key: value}) == tlx.compose([*BASE, long])


def test_what_the_part_says_besides_stays() -> None:
    strategy = tlx.compose([*BASE, "strategy.optimizer.weight_decay=0.5", "strategy.optimizer=sgd"]).strategy
    assert (strategy.optimizer.name, strategy.optimizer.weight_decay) == ("sgd", 0.5)


def test_a_word_that_is_none_of_the_choices_is_told_at_its_field() -> None:
    problem = the_problem([*BASE, "strategy.schedule=cosin"])
    assert (problem.key, "did you mean cosine?" in problem.message) == ("strategy.schedule.shape", True)


def test_a_file_is_shown_the_long_form(folder: Path) -> None:
    path = folder / "experiments/brief.yaml"
    path.parent.mkdir()
    head = "# @package _global_\ndefaults: [override /backbone: resnet18, override /dataset: digits]\n"
    path.write_text(f"{head}strategy:\n  optimizer: sgd\n")
    problem = the_problem(["experiment=brief"])
    assert (problem.key, problem.where) == ("strategy.optimizer", "experiments/brief.yaml:4")
    assert "write optimizer: {name: sgd}" in problem.message


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("lr=1e-3", "strategy.lr"),
        ("optimizer=sgd", "strategy.optimizer"),
        ("augment=shift", "dataset.augment or reuse.augment"),
        ("precision=bf16-mixed", "hardware.precision"),
        ("batch_size=8", "strategy.batch_size"),
        ("strategy.learning_rate=1", "strategy.lr"),
        ("trainer.max_epochs=3", "strategy.budget"),
        ("trainer.devices=2", "hardware.devices"),
        ("model.name=x", "backbone"),
        ("weight_decay=0.1", "strategy.optimizer.weight_decay"),
        ("strategy.momentum=0.1", "strategy.optimizer.momentum"),
        ("optimiser=sgd", "strategy.optimizer"),
    ],
)
def test_a_name_from_elsewhere_is_answered_with_ours(word: str, meant: str) -> None:
    assert f"did you mean {meant}?" in the_problem([*BASE, word]).message


def test_every_name_from_elsewhere_leads_to_a_setting() -> None:
    config = OmegaConf.structured(tlx.compose([*BASE, "strategy.phases.0.plateau={patience: 2}"]))
    for key in elsewhere.KEYS.values():
        path, _, name = key.rpartition(".")
        assert name in (OmegaConf.select(config, path) if path else config), key


@pytest.mark.parametrize("words", sorted({*elsewhere.WORDS.values(), *elsewhere.CHOICES["strategy"].values()}))
def test_every_name_from_elsewhere_leads_to_words_that_are_taken(words: str) -> None:
    tlx.compose([*BASE, *words.split()])


@pytest.mark.parametrize(("word", "words"), sorted(elsewhere.CHOICES["task"].items()))
def test_a_choice_from_elsewhere_is_answered_with_words_that_are_taken(word: str, words: str) -> None:
    assert f"write {words} (" in the_problem([*BASE, f"task={word}"]).message
    tlx.compose([*BASE, *words.split()])


NAMES = sorted(
    {(group, one.name) for group in GROUPS for kind in groups.options(group).values() for one in fields(kind)}
    - {(group, name) for group in GROUPS for name in ("name", "kind", "modality")}
)


@pytest.mark.parametrize(("group", "name"), NAMES)
def test_every_option_is_found_by_its_last_name(group: str, name: str) -> None:
    """In whatever group it is looked for: the answer has its key, or that of a shorter one of the same name."""
    config = OmegaConf.structured(tlx.compose(BASE))
    hint = suggestion(config, f"elsewhere.{name}", "", "elsewhere", [])
    keys = [word.rstrip("?:;,").removesuffix("=...") for word in hint.split()]
    assert any(key == name or key.endswith(f".{name}") or key == elsewhere.KEYS.get(name) for key in keys), hint


def test_settings_of_what_is_not_chosen_are_answered_with_the_choice() -> None:
    problem = the_problem([*BASE, "root=images"])
    assert "write dataset=imagefolder dataset.root=..." in problem.message
    assert "dataset=csv" in the_problem([*BASE, "dataset.label_type=number"]).message  # a file has another name


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("task.label_smoothing=0.1", "did you mean task.loss.label_smoothing?"),
        ("task.loss.class_weight=balanced", "is called auto here"),
        ("task.multilabel=true", "it is a setting of task=classification"),
        ("tracking=wandb", "expected mlflow or none"),
        ("strategy.phases.0.until=150%", "at most 100% of the budget"),
        ("seed=1,2,", "a value is missing after the last comma; write seed=1,2"),
        ("strategy.phases.0.train=[stages[9]]", "write 'strategy.phases.0.train=[\"stages[9]\"]'"),
    ],
)
def test_what_to_write_is_said(word: str, message: str) -> None:
    assert message in the_problem([*BASE, word]).message
