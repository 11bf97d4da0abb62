"""Requests that Hydra's grammar or types would answer with an exception of their own: a problem like any other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import tlx
from tests.composition.told import BASE, problems, the_problem
from tlx.config.errors import ConfigError
from tlx.config.schema import Trial


@pytest.mark.parametrize(("words", "key"), [("~seed", "seed"), ("~strategy.lr", "strategy.lr"), ("~task", "task")])
def test_nothing_can_be_taken_away(words: str, key: str) -> None:
    assert the_problem([*BASE, words]).key == key


@pytest.mark.parametrize("words", ["seed", "strategy.lr=[1", "seed=1}", "a b=1", "--fast", "'x'"])
def test_what_is_not_an_override(words: str) -> None:
    problem = the_problem([*BASE, words])
    assert problem.key == words
    assert "key=value" in problem.message


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("dataset=imagefolder", "dataset.root"),
        ("dataset=image_table", "dataset.file"),
        ("dataset=hub_image", "dataset.name"),
        ("backbone=timm", "backbone.name"),
    ],
)
def test_a_value_that_must_be_given(option: str, key: str) -> None:
    problem = the_problem([*BASE, option])
    assert problem.key == key
    assert f"write {key}=" in problem.message


@pytest.mark.parametrize("words", ["seed=0,1", "strategy=lp_ft,scratch", "strategy.lr=range(1,3)"])
def test_many_values_are_not_one_trial(words: str) -> None:
    assert the_problem([*BASE, words]).key == words.partition("=")[0]


@pytest.mark.parametrize("words", ["strategy=[lp_ft,scratch]", "strategy={a: 1}"])
def test_an_option_is_one_name(words: str) -> None:
    assert the_problem([*BASE, words]).key == "strategy"


def test_an_interpolation_of_nothing() -> None:
    assert the_problem([*BASE, "strategy.lr=${nope}"]).key == "strategy.lr"


@pytest.mark.parametrize("words", ["backbone.kind=foo", "dataset.kind=imagefolder", "dataset.modality=text"])
def test_what_an_option_is_cannot_be_overridden(words: str) -> None:
    assert words.partition("=")[0] in [problem.key for problem in problems([*BASE, words])]


def test_a_mistake_within_a_list_names_the_whole_way_to_it() -> None:
    found = problems([*BASE, "strategy.phases=[{train: [head], untill: '1 epochs'}]"])
    assert len(found) == 1
    assert found[0].key.startswith("strategy.phases")
    assert "until" in found[0].message


def asked(overrides: Sequence[str]) -> Trial | list[str]:
    """The trial, or the keys of its problems."""
    try:
        return tlx.compose(overrides)
    except ConfigError as error:
        return [problem.key for problem in error.problems]


@pytest.mark.parametrize("words", ["{}={{patience: 2}}", "{}.patience=2", "+{}.patience=2"])
def test_a_part_that_is_null_is_filled_or_refused(words: str) -> None:
    """Hydra cannot fill it and stops with an AttributeError or AssertionError: a problem, or done right."""
    key = "strategy.phases.0.plateau"
    found = asked([*BASE, words.format(key)])
    if isinstance(found, Trial):
        plateau = found.strategy.phases[0].plateau
        assert plateau is not None
        assert plateau.patience == 2
    else:
        assert [name.startswith(key) for name in found] == [True]


@pytest.mark.parametrize("words", ["experiment=null", "experiment="])
def test_no_experiment_is_none_or_refused(words: str) -> None:
    found = asked([*BASE, words])
    assert (found.group if isinstance(found, Trial) else found) in (None, ["experiment"])


@pytest.mark.parametrize("value", ["{image}_B{02,03}.tif", "{image}/{B02,B03}.tif", "{red,near}/{image}.png"])
def test_a_text_with_braces_is_shown_in_quotes(value: str) -> None:
    message = the_problem([*BASE, f"dataset.name={value}"]).message
    assert message.endswith(f"write 'dataset.name=\"{value}\"'")
    assert tlx.compose([*BASE, message.partition("write '")[2].rstrip("'")]).dataset.name == value


@pytest.mark.parametrize("words", ["dataset.test_augment=horizontal_flip", "dataset.bands=2"])
def test_one_word_is_no_list(words: str) -> None:
    problem = the_problem([*BASE, words])
    assert problem.key == words.partition("=")[0]
    assert problem.message == "wrong type: expected a list, as [one] or [one,two]"
