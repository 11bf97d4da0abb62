"""What a request was meant to be: short forms are taken, and names from elsewhere are answered with ours."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

import tlx
from tests.composition.told import BASE, the_problem, told
from tlx.components import groups
from tlx.composition import check, elsewhere, request
from tlx.composition.suggest import suggestion
from tlx.composition.tree import tree
from tlx.config.errors import suggest
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
        ("strategy.dropout=0.1", "backbone.dropout"),
        ("strategy.rank=4", "strategy.peft.rank"),
        ("optimiser=sgd", "strategy.optimizer"),
        ("strategy.freeze=backbone", "strategy.phases.0.freeze"),
        ("strategy.early_stopping=5", "strategy.phases.0.plateau.patience"),
        ("tta=hflip", "dataset.test_augment"),
        ("reuse.dtype=bf16", "reuse.precision"),
        ("kfold=5", "dataset.folds"),
    ],
)
def test_a_name_from_elsewhere_is_answered_with_ours(word: str, meant: str) -> None:
    assert f"did you mean {meant}?" in the_problem([*BASE, word]).message


PLACES = [
    [*BASE, "strategy.phases.0.plateau={patience: 2}", "task=classification"],
    ["backbone=pixels", "dataset=csv", "dataset.file=rows.csv", "strategy=lora"],
    ["backbone=distilbert", "dataset=imagefolder", "dataset.root=images", "strategy=ema"],
]


def test_every_name_from_elsewhere_leads_to_a_setting_that_is_taken() -> None:
    """Its own default, or null, is: no problem is told of the key in one of the trials that have it."""
    left = {*elsewhere.KEYS.values()}
    for words in PLACES:
        base = tree(tuple(word for word in words if word.partition("=")[0] in GROUPS))
        check.settings(base, request.read(words).settings)
        values = {}
        for key in left:
            path, _, name = key.rpartition(".")
            holder = OmegaConf.select(base, path) if path else base
            if OmegaConf.is_config(holder) and name in map(str, holder):
                values[key] = "x" if OmegaConf.is_missing(holder, name) else OmegaConf.select(base, key)
        plain = {key: value for key, value in values.items() if not OmegaConf.is_dict(value)}
        given = (f"{key}={'null' if value is None else value}" for key, value in plain.items())
        problems = told(*words, *given)
        assert not [key for key in values if problems.get(key, "").startswith(("unknown key", "wrong type", "not one"))]
        left -= {*values}
    assert not left


def test_a_name_from_elsewhere_is_answered_with_its_key() -> None:
    base = tree(tuple(BASE))
    for name, key in elsewhere.KEYS.items():
        group, _, word = name.rpartition(".")
        hint = suggestion(base, name, f"{group}." if group else "", word, [])
        assert key in hint, (name, hint)


@pytest.mark.parametrize("words", sorted({*elsewhere.WORDS.values(), *elsewhere.CHOICES["strategy"].values()}))
def test_every_name_from_elsewhere_leads_to_words_that_are_taken(words: str) -> None:
    group = ["dataset.group.column=patient", "dataset.time=day"] if "split_by" in words else []
    tlx.compose([*BASE, *group, *shlex.split(words)])


@pytest.mark.usefixtures("machine")
def test_a_value_from_elsewhere_is_answered_with_words_that_are_taken() -> None:
    for key, values in elsewhere.VALUES.items():
        for value, words in values.items():
            problem = the_problem([*BASE, "task=classification", f"{key}={value}"])
            assert problem.key == key
            assert problem.message.endswith(f"; write {words}")
            tlx.compose([*BASE, "task=classification", words])
    for word, words in (("mixup", "dataset.mix=mixup"), ("strong_", "")):
        assert the_problem([*BASE, f"dataset.augment={word}"]).message.endswith(words or "did you mean strong?")


OF_PARTS = ["alpha", "beta", "decay", "every", "rank", "solver", "threshold", "thaw", "train", "csv_", "wandb_"]


@pytest.mark.parametrize("strategy", ["fine_tune", "lora", "ema", "bss"])
def test_no_part_of_another_group_is_meant(strategy: str) -> None:
    """What belongs to phases, adapters, averages and the like is not what a key of another group is."""
    base = tree(("backbone=resnet18", "dataset=digits", f"strategy={strategy}"))
    for group in ("dataset", "hardware", "task", "reuse"):
        for name in OF_PARTS:
            hint = suggestion(base, f"{group}.{name}", f"{group}.", name, ["one", "other"])
            assert "strategy." not in hint, hint
            assert "loggers." not in hint, hint


@pytest.mark.parametrize("word", ["name", "run_name", "tags", "resume", "ckpt_path", "log_every_n_steps", "k"])
def test_what_there_is_not_has_no_hint(word: str) -> None:
    assert "unknown key; a trial has backbone, " in the_problem([*BASE, f"{word}=1"]).message


LETTERS = "abcdefghijklmnopqrstuvwxyz_"


def slips(word: str) -> set[str]:
    """All that one slip makes of a word (Norvig's edits)."""
    cut = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    return {
        *(a + b[1:] for a, b in cut if b),
        *(a + b[1] + b[0] + b[2:] for a, b in cut if len(b) > 1),
        *(a + letter + b[1:] for a, b in cut if b for letter in LETTERS),
        *(a + letter + b for a, b in cut for letter in LETTERS),
    }


@given(st.text("abcst", min_size=2, max_size=5), st.lists(st.text("abcst", min_size=2, max_size=6), max_size=5))
def test_a_short_word_is_answered_with_one_that_is_one_slip_away(word: str, known: list[str]) -> None:
    near = slips(word) & set(known)
    found = suggest(word, known).removeprefix("; did you mean ").removesuffix("?")
    assert (found in near) if near else not found


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
