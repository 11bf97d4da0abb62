"""What must fit together: for each rule a request it refuses, and the nearest one it lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.composition.told import BASE, told

TEXTS = ("backbone=bert_base", "dataset=hub_text", "dataset.name=imdb")
BUDGET = "strategy.budget"


pytestmark = pytest.mark.usefixtures("machine")


def test_a_text_backbone_cannot_read_images() -> None:
    found = told("backbone=bert_base", "dataset=digits")
    assert list(found) == ["backbone"]
    assert "a text backbone cannot read the images of dataset=digits" in found["backbone"]
    assert list(told("backbone=resnet18", "dataset=docstrings")) == ["backbone"]
    assert not told(*TEXTS)
    assert not told(*BASE)


@pytest.mark.parametrize("text", ["long", "25%", "rest", "'0 epochs'", "'0 steps'", "3", "null"])
def test_a_budget_is_a_whole_length(text: str) -> None:
    assert list(told(*BASE, f"{BUDGET}={text}")) == [BUDGET]
    assert not told(*BASE, f"{BUDGET}='1 steps'")


@pytest.mark.parametrize(
    ("key", "wrong", "right"),
    [
        ("strategy.validate_every", "rest", "'10 steps'"),
        ("strategy.validate_every", "50%", "'0.5 epochs'"),
        ("strategy.validate_every", "often", "auto"),
        ("strategy.budget", "auto", "'1 epochs'"),
        ("strategy.phases.0.until", "auto", "rest"),
        ("strategy.phases.0.until", "soon", "50%"),
        ("strategy.phases.0.until", "3", "'3 epochs'"),
        ("strategy.schedule.warmup", "'5 epochs'", "5%"),
        ("strategy.schedule.warmup", "110%", "100%"),
        ("strategy.schedule.warmup", "rest", "0%"),
    ],
)
def test_lengths_are_lengths(key: str, wrong: str, right: str) -> None:
    assert list(told(*BASE, f"{key}={wrong}")) == [key]
    assert not told(*BASE, f"{key}={right}")


@pytest.mark.parametrize("near", ["Auto", "atuo", "aut", "autom"])
def test_a_word_near_to_auto_is_answered_with_it(near: str) -> None:
    (message,) = told(*BASE, f"strategy.validate_every={near}").values()
    assert message.endswith("or auto; did you mean auto?")


def test_one_phase_at_most_takes_the_rest() -> None:
    found = told(*BASE, "strategy.phases=[{train: [head]}, {train: [all], until: '1 epochs'}, {train: [all]}]")
    assert list(found) == ["strategy.phases.2.until"]
    assert not told(*BASE, "strategy.phases=[{train: [head], until: 25%}, {train: [all]}]")
    assert not told(*BASE, "strategy.phases=[{train: [head], solver: logistic}, {train: [all]}]")  # takes no steps


def test_there_is_something_to_train() -> None:
    assert list(told(*BASE, "strategy.phases=[]")) == ["strategy.phases"]
    assert list(told(*BASE, "strategy.phases.0.train=[]")) == ["strategy.phases.0.train"]


def test_an_exact_solver_solves_the_head_alone() -> None:
    assert list(told(*BASE, "strategy.phases.0.solver=logistic")) == ["strategy.phases.0.solver"]  # trains all
    assert list(told(*BASE, "strategy=logistic", "strategy.phases.0.train=[head,stem]")) == ["strategy.phases.0.solver"]
    assert not told(*BASE, "strategy=logistic")


def test_the_first_phase_has_none_before_it() -> None:
    assert list(told(*BASE, "strategy.phases.0.restore=best")) == ["strategy.phases.0.restore"]
    assert not told(*BASE, "strategy=lp_ft")  # restores in its second


@pytest.mark.parametrize(
    ("key", "wrong", "right"),
    [
        ("strategy.lr", "0", "1e-9"),
        ("strategy.lr", "-1e-3", "1e-3"),
        ("strategy.backbone_lr", "0", "null"),
        ("strategy.batch_size", "0", "1"),
        ("dataset.shots", "0", "1"),
        ("hardware.accumulate", "0", "1"),
        ("dataset.val", "0", "0.01"),
        ("dataset.val", "1", "0.5"),
        ("dataset.test", "-0.1", "0.1"),
        ("dataset.test", "1.5", "0.5"),
    ],
)
def test_numbers_are_in_range(key: str, wrong: str, right: str) -> None:
    assert list(told(*BASE, f"{key}={wrong}")) == [key]
    assert not told(*BASE, f"{key}={right}")


def test_raw_pixels_have_no_weights(folder: Path) -> None:
    assert list(told("backbone=pixels", "dataset=digits", "backbone.weights=hub")) == ["backbone.weights"]
    assert not told("backbone=pixels", "dataset=digits", "strategy=logistic")


@pytest.mark.parametrize("key", ["dataset.file", "dataset.val_file", "dataset.test_file"])
def test_tables_are_there(folder: Path, key: str) -> None:
    (folder / "train.csv").write_text("text,label\n")
    request = [f"{key}=missing.csv", *([] if key == "dataset.file" else ["dataset.file=train.csv"])]
    found = told("backbone=bert_base", "dataset=csv", *request)
    assert list(found) == [key]
    assert str(folder) in found[key]  # where it was looked for
    (folder / "held.csv").write_text("text,label\n")
    assert not told("backbone=bert_base", "dataset=csv", "dataset.file=train.csv", f"{key}=held.csv")


@pytest.mark.parametrize("key", ["dataset.file", "dataset.val_file"])
def test_a_file_that_tests_does_nothing_else(folder: Path, key: str) -> None:
    (folder / "a.csv").write_text("text,label\n")
    (folder / "b.csv").symlink_to("a.csv")
    given = dict.fromkeys(("dataset.file", "dataset.val_file"), "c.csv") | {key: "b.csv"}
    (folder / "c.csv").write_text("text,label\n")
    words = [f"{name}={value}" for name, value in given.items()]
    found = told("backbone=bert_base", "dataset=csv", *words, "dataset.test_file=a.csv")
    assert list(found) == ["dataset.test_file"]
    assert "says nothing" in found["dataset.test_file"]


def test_folders_are_there_also_below_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    request = ("backbone=resnet18", "dataset=imagefolder", "dataset.root='~/photos'")
    assert list(told(*request)) == ["dataset.root"]
    (folder / "home" / "photos").mkdir(parents=True)
    assert not told(*request)


def test_weights_are_there(folder: Path) -> None:
    request = (*BASE, "backbone.weights=mine.safetensors")
    assert list(told(*request)) == ["backbone.weights"]
    assert not told(*request, "strategy=scratch")  # which does not read them
    (folder / "mine.safetensors").write_bytes(b"")
    assert not told(*request)


@pytest.mark.parametrize("weights", ["hub", "none", "'trial:letters'", "'mlflow:0123'"])
def test_weights_may_be_named(weights: str) -> None:
    assert not told(*BASE, f"backbone.weights={weights}")


def test_augmentation_is_for_images_seen_more_than_once() -> None:
    assert list(told(*TEXTS, "dataset.augment=shift")) == ["dataset.augment"]
    assert list(told(*BASE, "strategy=logistic", "dataset.augment=flip_crop")) == ["dataset.augment"]
    assert not told(*BASE, "dataset.augment=flip_crop")
    assert not told(*TEXTS, "dataset.augment=none")


def test_a_group_that_is_wrong_is_not_also_said_not_to_fit() -> None:
    assert list(told("backbone=brt_base", "dataset=digits", "dataset.augment=shift")) == ["backbone"]
    assert list(told("backbone=bert_base", "dataset=digts", "dataset.augment=shift")) == ["dataset"]


def test_problems_of_several_rules_come_together() -> None:
    found = told("backbone=bert_base", "dataset=digits", f"{BUDGET}=long", "strategy.lr=0", "hardware.devices=9")
    assert set(found) == {"backbone", BUDGET, "strategy.lr", "hardware.devices", "strategy.batch_size"}


def test_a_sampler_needs_a_phase_that_draws_and_evens_out_alone() -> None:
    assert not told(*BASE, "dataset.sampler=balanced")
    assert list(told(*BASE, "dataset.sampler=balanced", "strategy=logistic")) == ["dataset.sampler"]
    phases = "strategy.phases=[{train: [head], solver: logistic}, {train: [all]}]"
    assert not told(*BASE, "dataset.sampler=balanced", phases)
    twice = told(*BASE, "dataset.sampler=square_root", "task.loss.class_weight=auto")
    assert list(twice) == ["task.loss.class_weight"]
    assert "leave one of the two" in twice["task.loss.class_weight"]
    assert not told(*BASE, "task.loss.class_weight=auto")
    twice = told(*BASE, "dataset.sampler=balanced", "task.loss.weights={three: 10}")
    assert list(twice) == ["task.loss.weights"]
    assert not told(*BASE, "task.loss.weights={three: 10}")
