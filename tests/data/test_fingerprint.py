"""The fingerprint of the data: other examples, other hash; the same examples elsewhere, the same hash."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlx.config.cache import cache_folder
from tlx.config.dataset import Digits, Docstrings, Glyphs, Hub, ImageFolder, Table
from tlx.config.errors import DataError
from tlx.config.identity import identity
from tlx.data.fingerprint import fingerprint, of_files
from tlx.data.sources.imagefolder import load
from tlx.files.content_hash import content_hash


@pytest.fixture
def root(folder: Path) -> Path:
    """Two files in two classes; only their bytes matter here."""
    for name in ("a/0.png", "b/1.png"):
        (folder / "root" / name).parent.mkdir(parents=True)
        (folder / "root" / name).write_text(f"content of {name}")
    return folder / "root"


def of(root: Path) -> str:
    """The fingerprint of a folder."""
    return fingerprint(ImageFolder(root=str(root)))


def test_it_is_32_hexadecimal_digits(root: Path) -> None:
    for found in (of(root), *(fingerprint(kind()) for kind in (Digits, Glyphs, Docstrings))):
        assert len(found) == 32
        int(found, 16)


def test_content_names_and_new_files_change_it(root: Path) -> None:
    seen = [of(root)]
    (root / "a" / "0.png").write_text("CONTENT of a/0.png")  # the same size
    seen.append(of(root))
    (root / "a" / "0.png").rename(root / "a" / "2.png")
    (root / "a" / "9.png").touch()  # so that the class is never empty
    seen.append(of(root))
    (root / "a" / "2.png").rename(root / "b" / "2.png")
    seen.append(of(root))
    (root / "b" / "3.png").touch()
    seen.append(of(root))
    assert len(set(seen)) == 5


def test_time_and_place_do_not_change_it(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = of(root)
    os.utime(root / "a" / "0.png", (1_000_000, 1_000_000))
    assert of(root) == before
    shutil.copytree(root, folder / "copy")
    assert of(folder / "copy") == before
    monkeypatch.chdir(root.parent)
    assert of(Path("root")) == before


def test_files_are_hashed_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return content_hash(path)

    monkeypatch.setattr("tlx.data.fingerprint.content_hash", counted)
    time.sleep(0.05)  # what changes within a tick of the clock is not remembered
    first = of(root)
    assert sorted(hashed) == ["0.png", "1.png"]
    hashed.clear()
    assert of(root) == first
    assert hashed == []
    (root / "b" / "1.png").write_text("longer than it was before")
    time.sleep(0.05)
    assert of(root) != first
    assert hashed == ["1.png"]


def test_torn_hashes_are_made_again(root: Path) -> None:
    before = of(root)
    for file in cache_folder("hashes").iterdir():
        file.write_text('{"torn')
    assert of(root) == before


@pytest.mark.parametrize(
    "other", [{"characters": "both"}, {"n_train": 10}, {"n_val": 10}, {"n_test": 10}, {"render_seed": 1}]
)
def test_the_settings_of_glyphs_change_it(other: dict[str, Any]) -> None:
    assert fingerprint(Glyphs()) == fingerprint(Glyphs())
    assert fingerprint(Glyphs(**other)) != fingerprint(Glyphs())


@pytest.mark.parametrize("other", [{"name": "x/z"}, {"config": "c"}, {"revision": "r"}])
def test_what_is_asked_of_the_hub_changes_it(other: dict[str, Any]) -> None:
    base: dict[str, Any] = {"name": "x/y"}
    assert fingerprint(Hub(**base)) == fingerprint(Hub(**base))
    assert fingerprint(Hub(**{**base, **other})) != fingerprint(Hub(**base))


def table(folder: Path, **options: str) -> str:
    """The fingerprint of tables in a folder."""
    files: dict[str, Any] = {key: str(folder / name) for key, name in options.items()}
    return fingerprint(Table(**files))


def test_tables_follow_their_files(folder: Path) -> None:
    for name in ("train.csv", "val.csv", "extra.csv"):
        (folder / name).write_text(f"text,label\n{name},a\n")
    alone, both = table(folder, file="train.csv"), table(folder, file="train.csv", val_file="val.csv")
    assert alone != both
    (folder / "val.csv").write_text("text,label\nother,a\n")
    assert table(folder, file="train.csv", val_file="val.csv") != both
    assert table(folder, file="train.csv") == alone


def test_a_table_used_for_val_is_not_a_table_used_for_test(folder: Path) -> None:
    """They are two trials, though the names of files are no part of a trial's identity."""
    for name in ("train.csv", "more.csv"):
        (folder / name).write_text(f"text,label\n{name},a\n")
    configs = (Table(file="train.csv", val_file="more.csv"), Table(file="train.csv", test_file="more.csv"))
    assert len({identity(config, {"data": fingerprint(config)}, {}) for config in configs}) == 2


def test_tables_in_sibling_folders_may_move_together(folder: Path) -> None:
    for place in ("here", "there"):
        for name in ("train", "val"):
            (folder / place / name).mkdir(parents=True)
            (folder / place / name / "rows.csv").write_text(f"text,label\n{name},a\n")
    here, there = (table(folder / place, file="train/rows.csv", val_file="val/rows.csv") for place in ("here", "there"))
    assert here == there


def test_the_images_of_a_table_count(folder: Path) -> None:
    (folder / "x.png").write_text("one")
    (folder / "a.csv").write_text("image,label\nx.png,a\n")
    config = Table(file=str(folder / "a.csv"), modality="image", input="image")
    before = fingerprint(config)
    (folder / "x.png").write_text("two")
    assert fingerprint(config) != before


def test_images_of_a_table_may_be_left_out(folder: Path) -> None:
    """A cell without a value names no file, not even one of the name that Python gives to nothing."""
    (folder / "None").write_text("one")
    (folder / "a.jsonl").write_text('{"image": null, "label": "a"}\n')
    config = Table(file=str(folder / "a.jsonl"), modality="image", input="image")
    before = fingerprint(config)
    (folder / "None").write_text("two")
    assert fingerprint(config) == before


def test_changes_beside_a_database_count(folder: Path) -> None:
    """They are of the data, and whoever reads them is refused: an old result is not given in their place."""
    file = folder / "t.sqlite"
    with closing(sqlite3.connect(file)) as made:
        made.executescript("CREATE TABLE t (text, label); INSERT INTO t VALUES ('x', 'a')")
    config, before = Table(file=str(file)), fingerprint(Table(file=str(file)))
    for suffix in ("-wal", "-journal"):
        beside = file.with_name(file.name + suffix)
        beside.write_bytes(bytes(64))
        assert fingerprint(config) == before
        beside.write_bytes(b"changes")
        assert fingerprint(config) != before
        beside.unlink()
    assert fingerprint(config) == before


def test_no_file_has_no_fingerprint(folder: Path) -> None:
    with pytest.raises(DataError, match="at least one"):
        of_files(str(folder), [])
    (folder / "photos" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match="no images found"):
        of(folder / "photos")


@pytest.mark.parametrize("empty", ["photos/c", "photos/train", "photos/train/c"])
def test_what_cannot_be_loaded_has_no_fingerprint(folder: Path, empty: str) -> None:
    """Else a folder that lost its images would be taken for the one that never had the class."""
    for name in ("photos/val/a", "photos/test/a"):
        (folder / name).mkdir(parents=True)
        (folder / name / "0.png").write_text(name)
    (folder / empty).mkdir(parents=True)
    for refused in (of, lambda root: load(ImageFolder(root=str(root)))):
        with pytest.raises(DataError, match=r"an empty|no folder called train"):
            refused(folder / "photos")


_NAMES = st.sampled_from(["train/a/0.png", "train/b/1.png", "train/a/deep/2.JPG", "val/a/3.png"])
_CHANGES = st.tuples(
    st.sampled_from(["write", "restore", "link", "repoint", "stray", "remove", "class_link", "plain"]),
    _NAMES,
    st.sampled_from([b"one", b"two", b"other"]),
)


@settings(max_examples=25)
@given(changes=st.lists(_CHANGES, min_size=3, max_size=8))
def test_it_is_of_what_the_loader_lists(changes: list[tuple[str, str, bytes]], tmp_path_factory: Any) -> None:
    """Equal where names, labels and bytes are, and only there: behind links, beside strays, after replaced times."""
    base = tmp_path_factory.mktemp("tree")
    root, elsewhere = base / "root", base / "elsewhere"
    for name in ("train/a/0.png", "train/b/1.png"):
        _put(root / name, b"first")
    for number, content in enumerate((b"five!", b"fives")):
        _put(elsewhere / str(number) / "linked.png", content)
    seen = [(_listed(root), of(root))]
    for change, name, content in changes:
        _change(root, elsewhere, change, root / name, content)
        try:
            listed = _listed(root)
        except DataError:
            with pytest.raises(DataError):
                of(root)
            continue
        seen.append((listed, of(root)))
    for one, first in seen:
        for other, second in seen:
            assert (one == other) == (first == second)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _change(root: Path, elsewhere: Path, change: str, path: Path, content: bytes) -> None:
    """Change a folder of images, or what lies beside them."""
    if change == "write":
        _put(path, content)
    elif change == "restore" and path.is_file():  # other bytes of the same size and time, in place or behind its link
        found = path.stat()
        path.write_bytes(bytes(reversed(path.read_bytes())))
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    elif change == "link":
        _put(path, b"")
        path.unlink()
        path.symlink_to(elsewhere / "0" / "linked.png")
    elif change in ("repoint", "class_link"):  # a class behind a link, to one folder or another
        link = root / "train" / "linked"
        link.unlink(missing_ok=True)
        link.symlink_to(elsewhere / ("1" if change == "repoint" else "0"))
    elif change == "stray":
        for name in ("README", ".DS_Store", "train/.DS_Store", "train/a/notes.txt", "train/.hidden/x.png", "loose.png"):
            _put(root / name, content)
    elif change == "remove":
        path.unlink(missing_ok=True)
    elif change == "plain":  # a link within a class to a folder is not followed
        inner = root / "train" / "b" / "inner"
        inner.unlink(missing_ok=True)
        inner.symlink_to(elsewhere / "0")


def _listed(root: Path) -> list[tuple[str, str, bytes]]:
    """What the loader reads: name below the root, label, bytes."""
    source = load(ImageFolder(root=str(root)))
    paths, labels = list(source.rows["image"]), list(source.rows["label"])
    return [(os.path.relpath(p, root), label, Path(p).read_bytes()) for p, label in zip(paths, labels, strict=True)]
