"""A long look at data is shown, a short one is not; whoever hears of it hears of every file."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tlx.config.dataset import ImageFolder
from tlx.data import fingerprint
from tlx.data.module import Data
from tlx.files.looking import counting, shown_by
from tlx.reports.bar import bar
from tlx.reports.look import Look


class Heard:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, str, int, list[int]]] = []
        self.ended = 0

    def begin(self, verb: str, noun: str, total: int) -> None:
        """Hear of a look."""
        self.looks.append((verb, noun, total, []))

    def step(self, done: int) -> None:
        """Hear how many there were."""
        self.looks[-1][3].append(done)

    def end(self) -> None:
        """Hear that it is over."""
        self.ended += 1


def images(folder: Path, count: int = 12) -> ImageFolder:
    """Squares of noise in two classes."""
    rng = np.random.default_rng(0)
    for i in range(count):
        place = folder / "images" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(place / f"{i}.png")
    return ImageFolder(root=str(folder / "images"), val=0.25, test=0.25)


def test_every_file_is_told_of_once_and_not_again_when_it_is_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TLX_CACHE", str(folder / "cache"))
    config, heard = images(folder), Heard()
    with shown_by(heard):
        fingerprint.fingerprint(config)
        Data(config, seed=0, batch_size=4)
        first = list(heard.looks)
        Data(config, seed=0, batch_size=4)
    assert {(verb, noun) for verb, noun, _, _ in first} == {("hashing", "files"), ("looking at", "images")}
    assert all((total, steps) == (12, [*range(1, 13)]) for _, _, total, steps in first)
    assert "looking at" not in {verb for verb, *_ in heard.looks[len(first) :]}
    assert heard.ended == len(heard.looks)


def test_a_look_that_fails_is_over_too() -> None:
    outer, inner = Heard(), Heard()

    def broken() -> None:
        with counting("hashing", "files", 3) as step:
            step()
            raise OSError("gone")

    with shown_by(outer), shown_by(inner), pytest.raises(OSError, match="gone"):
        broken()
    assert (inner.looks, inner.ended) == ([("hashing", "files", 3, [1])], 1)
    assert outer.looks == []
    with counting("hashing", "files", 3) as step:  # nobody shows it any more
        step()
    assert inner.ended == 1


def looked(console: Console, seconds: float, count: int = 100) -> str:
    """What is printed of a look at 16,000 images that takes so long up to the ``count``-th step, and no longer."""
    now = [0.0]
    look = Look(console, clock=lambda: now[0])
    look.begin("looking at", "images", 16_000)
    for i in range(1, count + 1):
        now[0] = seconds * i / count
        look.step(i * 16_000 // count)
    look.end()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("seconds", "shown"), [(1.9, False), (17.0, True)])
def test_on_a_terminal_a_bar_comes_after_two_seconds_and_goes_again(seconds: float, shown: bool) -> None:
    text = looked(Console(file=io.StringIO(), force_terminal=True, width=120), seconds)
    assert ("looking at images" in text) == shown
    assert ("\x1b[2K" in text) == shown  # the line is cleared
    if not shown:
        assert text == ""


@pytest.mark.parametrize(("seconds", "line"), [(9.9, ""), (17.0, "looking at 16,000 images ...\n")])
def test_elsewhere_there_is_one_line_after_ten_seconds(seconds: float, line: str) -> None:
    assert looked(Console(file=io.StringIO(), force_terminal=False), seconds) == line


def test_a_bar_that_is_there_gets_a_line_more_while_it_lasts() -> None:
    console, now = Console(file=io.StringIO(), force_terminal=True, width=120), [0.0]
    progress = bar(console)
    progress.add_task("building", total=None, left="")
    look = Look(console, progress, clock=lambda: now[0])
    with progress:
        look.begin("hashing", "files", 10)
        now[0] = 4.0
        look.step(4)
        task = progress.tasks[1]
        assert (task.description, task.completed, task.total) == ("hashing files", 4, 10)
        assert task.fields == {"left": "~6 s left"}
        look.end()
        assert [task.description for task in progress.tasks] == ["building"]


@pytest.mark.parametrize("live", [True, False])
def test_any_order_of_words_is_taken(live: bool) -> None:
    """A look that has not begun, or is over, shows nothing."""
    for words in itertools.permutations(("begin", "step", "end")):
        console, now = Console(file=io.StringIO(), force_terminal=live, width=120), [0.0]
        look = Look(console, clock=lambda now=now: now[0])  # type: ignore[misc]
        for word in words:
            now[0] += 20.0
            getattr(look, word)(*{"begin": ("hashing", "files", 10), "step": (4,), "end": ()}[word])
        look.end()
        assert isinstance(console.file, io.StringIO)
        shown = words.index("step") > words.index("begin") and words.index("end") != 1
        assert bool(console.file.getvalue()) == shown, words
