"""Which folder is a split, which a class, which nobody's: told apart by rule, and whatever is guessed is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.data.conftest import classes, inputs, load, words
from tlx.config.dataset import ImageFolder
from tlx.config.dataset_parts import Group
from tlx.config.errors import DataError
from tlx.data.source import Source


def tree(root: Path, *names: str) -> Path:
    """Images at these paths, made of the folders above them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / name)
    return root


def found(source: Source, root: Path) -> list[tuple[str, str]]:
    """The path below the root and the class of each example."""
    return [(os.path.relpath(p, root), word) for p, word in zip(inputs(source), words(source), strict=True)]


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        ("car bus train", []),  # a class of trains
        ("car bus test", []),
        ("car bus val", []),
        ("train training", []),  # two names of one split are not two splits
        ("train val", ["train", "val"]),
        ("Train Val Test", ["train", "val", "test"]),
        ("training testing", ["train", "test"]),
        ("train dev", ["train", "val"]),
        ("train eval test", ["train", "val", "test"]),
        ("train evaluation", ["train", "val"]),
        ("train valid other", ["train", "val"]),
        ("train", ["train"]),  # nothing else could be meant
    ],
)
def test_what_the_folders_are(folder: Path, folders: str, splits: list[str]) -> None:
    names = folders.split()
    root = tree(folder / "images", *(f"{name}/{kind}/0.png" for name in names for kind in "ab"))
    source = load(ImageFolder(root=str(root)))
    assert list(source.splits) == splits
    assert classes(source) == (["a", "b"] if splits else sorted(names))


def test_a_train_folder_beside_classes_is_a_class_and_it_is_said(folder: Path) -> None:
    names = ("car/0.png", "bus/0.png", "train/steam/0.png", "train/diesel/0.png")
    source = load(ImageFolder(root=str(tree(folder / "images", *names))))
    assert classes(source) == ["bus", "car", "train"]
    told = " ".join(source.notes)
    assert "'train' is taken for a class" in told
    assert "dataset.folders=splits" in told
    assert "dataset.nested=true" in told


@pytest.mark.parametrize(
    ("declared", "names", "expected"),
    [
        ("classes", ["train", "test"], ["test", "train"]),
        ("splits", ["train", "other"], ["a", "b"]),
        ("splits", ["train"], ["a", "b"]),
    ],
)
def test_what_is_declared_holds(folder: Path, declared: str, names: list[str], expected: list[str]) -> None:
    root = tree(folder / "images", *(f"{name}/{kind}/0.png" for name in names for kind in "ab"))
    assert classes(load(ImageFolder(root=str(root), folders=declared))) == expected


@pytest.mark.parametrize(
    ("names", "declared", "said"),
    [
        ("train val dev", "auto", "'dev' and 'val' are both names of val"),
        ("train Train test", "auto", "both names of train"),
        ("val test", "auto", "no folder called train"),
        ("a b", "splits", "no folder called train"),
    ],
)
def test_what_could_be_two_things_is_refused(folder: Path, names: str, declared: str, said: str) -> None:
    root = tree(folder / "images", *(f"{name}/{kind}/0.png" for name in names.split() for kind in "ab"))
    with pytest.raises(DataError, match=said):
        load(ImageFolder(root=str(root), folders=declared))


def test_folders_beside_the_splits_are_named(folder: Path) -> None:
    names = ("train/a/0.png", "train/b/0.png", "test/a/0.png", "extra/a/0.png", "masks/0.png")
    source = load(ImageFolder(root=str(tree(folder / "images", *names))))
    assert len(inputs(source)) == 3
    assert any("'extra', 'masks'" in note for note in source.notes)


@given(
    hidden=st.lists(
        st.tuples(
            st.sampled_from(["", "a/", "b/", "a/deep/"]),
            st.sampled_from([".ipynb_checkpoints/x.png", "__MACOSX/x.png", ".x.png", "Thumbs.db", "desktop.ini", ".d"]),
        ),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_what_is_hidden_changes_nothing_but_a_count(
    tmp_path_factory: pytest.TempPathFactory, hidden: list[tuple[str, str]]
) -> None:
    names = ("a/0.png", "a/deep/1.png", "b/0.png")
    plain, strewn = (tree(tmp_path_factory.mktemp("images"), *names) for _ in range(2))
    for above, name in hidden:
        (strewn / above / name).parent.mkdir(exist_ok=True)
        (strewn / above / name).write_bytes((plain / "a/0.png").read_bytes())
    source = load(ImageFolder(root=str(strewn)))
    assert found(source, strewn) == found(load(ImageFolder(root=str(plain))), plain)
    count = len({f"{above}{name.partition('/')[0]}" for above, name in hidden})
    assert any(f"{count} hidden files and folders were skipped" in note for note in source.notes)


def test_nested_classes_are_paths(folder: Path) -> None:
    names = ("car/0.png", "train/steam/0.png", "train/steam/old/1.png", "train/diesel/0.png")
    root = tree(folder / "images", *names)
    source = load(ImageFolder(root=str(root), nested=True))
    assert found(source, root) == sorted((name, str(Path(name).parent)) for name in names)
    assert not any("dataset.nested" in note for note in source.notes)
    splits = tree(folder / "split", *(f"{split}/{name}" for split in ("train", "val") for name in names))
    source = load(ImageFolder(root=str(splits), nested=True))
    assert classes(source) == ["car", "train/diesel", "train/steam", "train/steam/old"]
    assert list(source.splits) == ["train", "val"]
    (root / "train" / "electric").mkdir()
    with pytest.raises(DataError, match="an empty class") as caught:
        load(ImageFolder(root=str(root), nested=True))
    assert str(root / "train" / "electric") in str(caught.value)


def test_links_to_folders_within_a_class_are_said(folder: Path) -> None:
    root = tree(folder / "images", "a/0.png", "b/0.png", "c/0.png")
    (root / "a" / "loop").symlink_to(root)
    source = load(ImageFolder(root=str(root)))
    assert len(inputs(source)) == 3
    assert any("1 links to folders are not followed, first loop" in note for note in source.notes)


@pytest.mark.parametrize("name", ["ein Zug", "поезд", "新幹線", "a\nb", "a\tb", "'quoted\"", os.fsdecode(b"x\xff")])
def test_names_of_any_letters(folder: Path, name: str) -> None:
    root = tree(folder / "images", f"{name}/{name}.png", "plain/0.png")
    source = load(ImageFolder(root=str(root), group=Group(pattern=r"([^/]+)\.png")))
    assert set(found(source, root)) == {(f"{name}/{name}.png", name), ("plain/0.png", "plain")}
    assert set(source.rows["group"]) == {name.strip(), "0"}
