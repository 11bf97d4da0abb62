"""Options of verbs, wherever they stand among the words; what is none of them is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tlx.cli.arguments import Arguments, number
from tlx.config.errors import ConfigError

Said = Callable[..., str]


def arguments() -> Arguments:
    found = Arguments()
    found.value("--jobs", "a number of trials at once")
    found.value("--allow", "a host name", repeated=True)
    found.flag("-m", "--multirun")
    return found


def test_options_stand_anywhere_and_words_keep_their_order() -> None:
    asked = arguments().take(["a=1", "--jobs", "4", "~b", "-m", "+c=[x]", "--allow", "x", "--allow=y", "'d=3 epochs'"])
    assert asked.words == ["a=1", "~b", "+c=[x]", "'d=3 epochs'"]
    assert (asked.jobs, asked.multirun, asked.allow) == ("4", True, ["x", "y"])
    assert arguments().take(["--jobs=4"]).jobs == "4"


@pytest.mark.parametrize(
    ("words", "key", "message"),
    [
        (["--jobs"], "--jobs", "expected a number of trials at once"),
        (["--job", "2"], "--job", "did you mean --jobs?"),
        (["--nothing=3"], "--nothing", "there are --jobs, --allow, -m, --multirun"),
        (["-x"], "-x", "no such option"),
        (["-m=3"], "-m", ""),
    ],
)
def test_what_is_no_option_is_told(words: list[str], key: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        arguments().take(["seed=1", *words])
    assert caught.value.problems[0].key == key
    assert message in caught.value.problems[0].message


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "", "9999999999"])
def test_a_number_is_one_above_zero(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a port"):
        number(text, "--port", "a port")
    assert number("12", "--port", "a port") == 12


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--dry-run"),
        ("sweep", "--job", "2"),
        ("plan", "--jsn"),
        ("list", "--all"),
        ("status", "--jobs"),
        ("diff", "a", "b", "--x"),
        ("report", "--x"),
        ("init", "--x"),
        ("ui", "--prt=3"),
        ("sync", "--x"),
        ("runs", "gc", "--x"),
        ("reuse", "--x"),
        ("export", "--x"),
        ("serve", "--x"),
        ("reproduce", "--x"),
        ("help", "--x"),
    ],
    ids=" ".join,
)
def test_every_verb_refuses_an_option_it_does_not_have(words: tuple[str, ...], said: Said) -> None:
    assert "no such option" in said(*words, code=2)
