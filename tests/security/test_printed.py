"""What is printed: never a control character of somebody's choosing, and never the end of the work."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.reports.console import Terminal

TRAIN = ["train", "backbone=pixels", "dataset=digits", "strategy=logistic", "tracking=none"]
ROOT = Path(__file__).parents[2]


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command line of a person, with ``tlx`` in it."""
    script = f'tlx() {{ {sys.executable} -m tlx "$@"; }}\n{command}'
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=300, check=False, env=env)


def is_clean(text: str) -> bool:
    """Is there no control or direction character, line ends aside?"""
    return all(letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in text)


@given(some.text(max_size=60), some.text(max_size=300), some.text(max_size=30), some.text(max_size=30))
def test_problems_are_lines_without_control_characters(key: str, message: str, value: str, where: str) -> None:
    block = ConfigError([ConfigIssue(key, message, value, where), ConfigIssue(key, "wrong", [value])]).block()
    assert is_clean(block)
    assert len(block.splitlines()) == len(block.split("\n"))
    assert len(block.split("\n")) in (2, 3)


def test_a_long_value_is_cut() -> None:
    assert len(ConfigError([ConfigIssue("seed", "wrong", "x" * 100_000)]).block()) < 500


@given(some.text(max_size=60))
def test_the_terminal_follows_no_control_characters_and_no_markup(text: str) -> None:
    from rich.table import Table

    console = Terminal(file=io.StringIO(), width=200)
    table = Table("name")
    table.add_row(text)
    console.print(text)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    assert is_clean(console.file.getvalue())


def test_markup_in_a_name_is_text() -> None:
    console = Terminal(file=io.StringIO(), width=200)
    console.print("[/bold] [red]x[/red] :smile:")
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "[/bold] [red]x[/red] :smile:\n"


def test_files_with_odd_names_are_listed_safely(folder: Path) -> None:
    (folder / "conf/strategy").mkdir(parents=True)
    (folder / "conf/strategy/a\x1b[31m\n.yaml").write_text("# red\x1b[31m\n")
    os.mkfifo(folder / "conf/strategy/pipe.yaml")
    done = shell("tlx list strategy; tlx list")
    assert done.returncode == 0, done.stderr
    assert is_clean(done.stdout)
    assert "not a regular file" in done.stdout


@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        ("| head -c 0", "no reader"),
        pytest.param("> /dev/full", "cannot be written", marks=pytest.mark.long),
        (">&-", "is closed"),
        pytest.param("> /dev/full 2>&1", "", marks=pytest.mark.long),
    ],
)
def test_output_that_fails_does_not_end_the_work(folder: Path, redirection: str, said: str) -> None:
    done = shell(f"set -o pipefail; tlx {' '.join(TRAIN)} {redirection}")
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.glob("runs/*/result.json"))


def test_a_verb_that_only_prints_ends_quietly() -> None:
    done = shell("set -o pipefail; tlx list | head -c 1")
    assert (done.returncode, done.stderr) == (0, "")
    done = shell("tlx list > /dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left" in done.stderr


def test_a_terminal_that_knows_ascii_alone_is_enough(folder: Path) -> None:
    (folder / "conf/strategy").mkdir(parents=True)
    (folder / "conf/strategy/mine.yaml").write_text("# naïve … 学\n", encoding="utf-8")
    done = shell("tlx list strategy", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr
    assert "na\\xefve" in done.stdout


def test_a_working_directory_that_is_gone_is_one_line(folder: Path) -> None:
    done = shell("mkdir gone; cd gone; rmdir ../gone; tlx train backbone=pixels dataset=digits; echo $?; tlx list")
    assert done.stdout.splitlines()[0] == "2"
    assert done.stderr.splitlines()[0].startswith("tlx: the working directory is not there any more")
    assert "Traceback" not in done.stderr


def test_no_home_is_none_needed(folder: Path) -> None:
    done = shell("unset HOME; tlx plan backbone=pixels dataset=digits strategy=logistic > out")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("word", ["$'seed=\\xff'", "\"seed=$(printf 'x%.0s' {1..30000})\""])
def test_a_word_that_is_no_text_is_refused(folder: Path, word: str) -> None:
    for verb in ("train", "status", "diff"):
        done = shell(f"tlx {verb} {word}")
        assert done.returncode == 2
        assert done.stderr.startswith("tlx: ")
        assert "Traceback" not in done.stderr
