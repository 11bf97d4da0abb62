"""The fingerprint of the data: other examples, other hash; the same examples elsewhere, the same hash."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tlx.config.cache import cache_folder
from tlx.config.dataset import Digits, Docstrings, Glyphs, Hub, ImageFolder, Table
from tlx.config.identity import identity
from tlx.data.fingerprint import fingerprint
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
    first = of(root)
    assert sorted(hashed) == ["0.png", "1.png"]
    hashed.clear()
    assert of(root) == first
    assert hashed == []
    (root / "b" / "1.png").write_text("longer than it was before")
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
