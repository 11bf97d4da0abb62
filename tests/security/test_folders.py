"""Whatever a folder holds that is given as a cache or for runs: nothing that is not tlx's own changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

import tlx
from tests.composition.told import told
from tests.conftest import Said
from tests.feature_cache.entries import put
from tests.files.trees import Tree, made, shown, trees
from tlx.config import output
from tlx.config.errors import ConfigError
from tlx.feature_cache.cut import NotCacheable
from tlx.feature_cache.entry import CorruptEntryError
from tlx.feature_cache.features import Features
from tlx.feature_cache.store import KIND, Store
from tlx.files import marks
from tlx.files.checksum import with_checksum

CHOSEN = ("backbone=pixels", "dataset=digits")
KEYS = [letter * 32 for letter in "ab"]
WORDS = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "strategy.budget=4 steps", "tracking=none"]
names = some.sampled_from(
    [
        "thesis", "entry.json", "0-0.npy", ".filling", ".tlx", *KEYS, "c" * 32, "x.kind.lock", "notes.lock",
        f"{KEYS[0]}.fill.lock", f"{'d' * 32}.pin.lock", f"{KEYS[0]}.0123abcd", "a.b",
    ]
)  # fmt: skip
LINKS = ("..", ".", "/nowhere", "../outside", f"../{KEYS[0]}")


def used(root: Path) -> None:
    """Everything a store does."""
    store = Store(root, 10**6)
    for key in (*KEYS, "c" * 32):
        try:
            with store.filling([key]) as wanted:
                if wanted:
                    put(store, [[torch.ones(4, 10)]], ["rows"], key=key)
            Features(store, key).close()
            store.discard(key)
        except (NotCacheable, CorruptEntryError, OSError):
            continue
    for limit in (10**6, 0):
        store.prune(limit)
    store.entries()


@given(trees(names, LINKS))
def test_a_folder_of_others_is_never_touched(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> None:
    """Unmarked and not empty: refused, to the last byte."""
    root = tmp_path_factory.mktemp("given")
    made(root / "outside", {"thesis": "x"})
    made(root / "store", tree)
    before = shown(root)
    used(root / "store")
    if tree:
        assert shown(root) == before
    else:
        assert marks.is_marked(root / "store", KIND)


@given(trees(names, LINKS))
def test_what_others_put_into_a_store_stays(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> None:
    """A store of tlx's in which somebody has put things of every shape and name."""
    root = tmp_path_factory.mktemp("store")
    made(root / "outside", {"thesis": "x"})
    marks.mark(root / "store", KIND)
    tree.pop(marks.MARK, None)
    made(root / "store", tree)
    before = shown(root)
    used(root / "store")
    after = shown(root)
    gone = {path for path, content in before.items() if after.get(path) != content}
    empty_locks = {path for path in gone if path.endswith(".lock") and before[path] == ""}
    folders = {path for path in gone if before[path] == "empty"}  # an empty folder of an entry's name may be taken
    assert gone <= empty_locks | folders


@settings(max_examples=max(1, settings().max_examples // 4))
@given(trees(names, LINKS))
def test_a_folder_of_others_is_refused_for_runs(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> None:
    root = tmp_path_factory.mktemp("runs")
    made(root / "out", tree)
    before = shown(root)
    for key in (f"output={root / 'out'}", f"reuse.folder={root / 'out'}"):
        if tree:
            with pytest.raises(ConfigError) as caught:
                tlx.compose([*WORDS, key])
            assert caught.value.problems[0].key == key.partition("=")[0]
        else:
            tlx.compose([*WORDS, key])
        assert shown(root) == before


@pytest.mark.parametrize("place", ["~", "/", "~/.."])
@pytest.mark.parametrize("key", ["output", "reuse.folder"])
def test_homes_are_refused_before_anything_starts(said: Said, key: str, place: str) -> None:
    text = said("train", *WORDS, f"{key}='{place}'", code=2)
    assert key in text
    assert "home" in text or "root" in text
    assert f"{key}=" in text.partition("name")[2]  # what to type next


@pytest.mark.parametrize("verb", [["reuse", "prune"], ["reuse", "ls"]])
def test_pruning_a_folder_of_others_is_refused(said: Said, folder: Path, verb: list[str]) -> None:
    made(folder / "p", {"thesis": {"b": "x"}, "x.kind.lock": ""})
    before = shown(folder)
    assert "thesis" in said(*verb, f"reuse.folder={folder / 'p'}", code=2)
    assert shown(folder) == before


@pytest.mark.parametrize("home", [True, False])
def test_a_cache_is_not_put_among_other_things(
    said: Said, folder: Path, monkeypatch: pytest.MonkeyPatch, home: bool
) -> None:
    made(folder / "home", {"letters": {"a.txt": "x"}})
    if home:
        monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("TLX_CACHE", str(folder / "home"))
    text = said("train", *WORDS, "strategy=fine_tune", "backbone=narrow_resnet", "backbone.weights=none", code=2)
    assert "TLX_CACHE" in text
    assert shown(folder / "home") == {"letters/a.txt": "x"}


def test_a_trial_beside_other_things_leaves_them(said: Said, folder: Path) -> None:
    """A run's folder, results and cache are made; what lies around them is as it was."""
    made(folder, {"runs": {}, "notes": "mine", "conf.txt": "mine", "cache": {}})
    words = [word for word in WORDS if not word.startswith("backbone")]
    backbone = ["backbone=narrow_resnet", "backbone.weights=none"]
    said("train", *backbone, *words, "reuse=always", f"reuse.folder={folder / 'cache'}")
    assert marks.is_marked(folder / "runs", "runs")
    kept = {name: text for name, text in shown(folder).items() if not name.startswith(("runs", "cache"))}
    assert kept == {"notes": "mine", "conf.txt": "mine"}
    assert os.listdir(folder / "cache")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_somebody_elses_folder_is_not_filled(folder: Path) -> None:
    write(folder / "photos/a.jpg", "x")
    write(folder / "file", "x")
    assert "output=photos/tlx-runs" in told(*CHOSEN, "output=photos")["output"]
    assert "holds what tlx did not make: a.jpg" in told(*CHOSEN, "output=photos")["output"]
    assert "not a folder" in told(*CHOSEN, "output=file")["output"]
    assert "not a folder" in told(*CHOSEN, "output=file/below")["output"]
    assert "did not make" in told(*CHOSEN, "reuse.folder=photos")["reuse.folder"]
    assert not told(*CHOSEN, "output=photos/tlx-runs", "reuse.folder=fresh")
    assert sorted(path.name for path in folder.iterdir()) == ["file", "photos"]


def test_a_folder_with_runs_in_it_is_tlxs(folder: Path) -> None:
    write(folder / "mine/notes.txt", "x")
    write(folder / "mine/run/events.jsonl", with_checksum('{"event": "begin"}') + "\n")
    assert list(told(*CHOSEN, "output=mine")) == ["output"]
    write(folder / "mine/other/events.jsonl", with_checksum('{"event": "start", "time": 1}') + "\n")
    assert not told(*CHOSEN, "output=mine")


def test_a_folder_of_nothing_but_folders_of_runs_is_tlxs(folder: Path) -> None:
    """``output=runs/first`` before ``output=runs``; with anything else beside it, it is somebody's."""
    output.claim(folder / "runs" / "first")
    assert output.obstacle(folder / "runs") == ""
    assert "holds what tlx did not make" in output.obstacle(folder)
    (folder / "runs" / "notes.txt").write_text("mine")
    assert "holds what tlx did not make" in output.obstacle(folder / "runs")
