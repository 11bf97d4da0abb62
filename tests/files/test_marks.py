"""Folders of tlx and of others; whatever lies in a folder, only what tlx marked is ever removed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.files.trees import Tree, made, shown, trees
from tlx.files import marks
from tlx.files.marks import NotOurs

NAMES = re.compile(r"a|b\.npy")


def test_an_empty_or_a_new_folder_becomes_tlxs(folder: Path) -> None:
    (folder / "empty").mkdir()
    for name in ("empty", "new/below"):
        marks.claim(folder / name, "cache")
        assert marks.is_marked(folder / name, "cache")
        marks.claim(folder / name, "cache")
        with pytest.raises(NotOurs, match="of another kind"):
            marks.claim(folder / name, "runs")


def test_a_folder_of_others_is_refused_and_stays(folder: Path) -> None:
    (folder / "thesis").mkdir()
    (folder / "thesis" / "b").write_text("x")
    with pytest.raises(NotOurs, match="holds what tlx did not make: thesis"):
        marks.claim(folder, "cache")
    assert shown(folder) == {"thesis/b": "x"}
    with pytest.raises(NotOurs, match="is not a folder"):
        marks.claim(folder / "thesis" / "b", "cache")


def test_homes_and_roots_are_refused_even_empty(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder / "home" / "me"))
    (folder / "home" / "me").mkdir(parents=True)
    (folder / "door").symlink_to(folder / "home" / "me")
    for place in (
        folder / "home" / "me",
        folder / "home",
        folder / "door",
        Path("/"),
        Path("~"),
        folder / "home/me/..",
    ):
        with pytest.raises(NotOurs, match=r"is a home folder|is a folder of homes|is the root"):
            marks.claim(place, "cache")
    assert list((folder / "home" / "me").iterdir()) == []
    marks.claim(folder / "home" / "me" / "cache", "cache")


MIXED = trees(some.sampled_from(["a", "b.npy", ".tlx", "c", "a.txt", ".a"]))


@given(MIXED, some.booleans())
def test_discarding_touches_only_marked_folders_of_known_files(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree, marked: bool
) -> None:
    root = tmp_path_factory.mktemp("root")
    victim = root / "victim"
    made(victim, tree)
    if marked and not (victim / marks.MARK).exists() and not (victim / marks.MARK).is_symlink():
        marks.mark(victim, "cache")
    before = shown(root)
    own = marks.is_own(victim, NAMES, "cache")
    gone = marks.discard(victim, NAMES, "cache")
    if own:
        assert gone
        assert not victim.exists()
        assert all(NAMES.fullmatch(Path(name).name) or name.endswith(marks.MARK) for name in before)
    elif tree:
        assert not gone
        assert shown(root) == before
