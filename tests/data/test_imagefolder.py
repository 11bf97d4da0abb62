"""Folders of images: both layouts, one class mapping made from train, and nothing dropped without a word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.conftest import channels, classes, inputs, labels, load, words
from tlx.config.dataset import ImageFolder
from tlx.config.errors import DataError
from tlx.data.source import Source


def images(*folders: Path, count: int = 2, mode: str = "RGB") -> None:
    """A few small images in each folder."""
    for folder in folders:
        folder.mkdir(parents=True)
        for i in range(count):
            Image.new(mode, (6, 4)).save(folder / f"{i}.png")


def named(source: Source, split: str) -> list[str]:
    """The class name of each example of a split."""
    return words(source, source.splits[split])


def test_classes_only(folder: Path) -> None:
    images(folder / "dog", folder / "cat", count=3)
    source = load(ImageFolder(root=str(folder)))
    assert classes(source) == ["cat", "dog"]
    assert source.splits == {}
    assert [(Path(p).parent.name, word) for p, word in zip(inputs(source), words(source), strict=True)] == [
        *[("cat", "cat")] * 3,
        *[("dog", "dog")] * 3,
    ]
    assert source.origin(4).endswith(str(Path("dog", "1.png")))


@pytest.mark.parametrize("folders", [("train", "val", "test"), ("training", "validation", "testing")])
def test_split_folders(folder: Path, folders: tuple[str, str, str]) -> None:
    for word, count in zip(folders, (3, 2, 1), strict=True):
        images(folder / word / "cat", folder / word / "dog", count=count)
    source = load(ImageFolder(root=str(folder)))
    assert {name: len(indices) for name, indices in source.splits.items()} == {"train": 6, "val": 4, "test": 2}
    assert named(source, "val") == ["cat", "cat", "dog", "dog"]
    for name, indices in source.splits.items():
        assert all(folders[["train", "val", "test"].index(name)] in Path(inputs(source)[i]).parts for i in indices)


def test_one_mapping_from_train_holds_in_every_split(folder: Path) -> None:
    """A split of its own mapping would call {b: 0} what train calls {a: 0, b: 1}."""
    images(folder / "train/a", folder / "train/b", folder / "val/b", folder / "test/b", folder / "test/a")
    source = load(ImageFolder(root=str(folder)))
    assert list(labels(source)[source.splits["val"]]) == [1, 1]
    for split in source.splits:
        assert named(source, split) == [Path(inputs(source)[i]).parent.name for i in source.splits[split]]


def test_classes_unknown_to_train_are_named(folder: Path) -> None:
    images(folder / "train/a", folder / "train/b", folder / "val/bird", folder / "test/fish", folder / "test/a")
    with pytest.raises(DataError) as caught:
        load(ImageFolder(root=str(folder)))
    assert "class 'bird' is not in train" in str(caught.value)
    assert "class 'fish' is not in train" in str(caught.value)
    first = [str(folder / "val" / "bird" / "0.png"), str(folder / "test" / "fish" / "0.png")]
    assert [problem.key for problem in caught.value.problems] == first


def test_an_empty_class_is_named(folder: Path) -> None:
    images(folder / "a", folder / "b")
    (folder / "hollow").mkdir()
    (folder / "hollow" / "readme.txt").write_text("no image")
    with pytest.raises(DataError, match="empty class") as caught:
        load(ImageFolder(root=str(folder)))
    assert str(folder / "hollow") in str(caught.value)


def test_stray_files_in_a_class_are_counted(folder: Path) -> None:
    images(folder / "a", folder / "b")
    for name in ("licence.md", "notes.txt"):
        (folder / "a" / name).write_text("stray")
    source = load(ImageFolder(root=str(folder)))
    assert len(inputs(source)) == 4
    assert len(source.notes) == 1
    assert str(folder / "a") in source.notes[0]
    assert "2 files are not images (.md x 1, .txt x 1)" in source.notes[0]


@pytest.mark.parametrize(
    ("suffix", "format"),
    [
        (".ppm", "PPM"),
        (".pgm", "PPM"),
        (".jfif", "JPEG"),
        (".jp2", "JPEG2000"),
        (".j2k", "JPEG2000"),
        (".avif", "AVIF"),
    ],
)
def test_pictures_that_pil_reads_are_images(folder: Path, suffix: str, format: str) -> None:
    mode = "L" if suffix == ".pgm" else "RGB"
    for name in "ab":
        (folder / name).mkdir()
        Image.new(mode, (16, 8), 200).save(folder / name / f"0{suffix}", format)
    source = load(ImageFolder(root=str(folder)))
    with Image.open(folder / "a" / f"0{suffix}") as picture:
        expected = np.asarray(picture)
    np.testing.assert_array_equal(source.columns[0].read(inputs(source)[0]), expected)


@pytest.mark.parametrize("where", ["a", "."])
def test_what_is_not_read_is_named_by_its_suffix(folder: Path, where: str) -> None:
    for name in "ab":
        (folder / name).mkdir()
    for name in ("0.heic", "1.HEIC", "notes.txt", "licence"):
        (folder / where / name).write_text("no image")
    with pytest.raises(DataError, match=r"no images found \(\.heic x 2, \.txt x 1, no suffix x 1 are not read\)"):
        load(ImageFolder(root=str(folder)))
    images(folder / "c")
    with pytest.raises(DataError, match="an empty class") as caught:
        load(ImageFolder(root=str(folder)))
    assert (".heic x 2" in str(caught.value)) == (where == "a")


@pytest.mark.parametrize("where", [".", "train"])
def test_images_outside_every_class_are_noted(folder: Path, where: str) -> None:
    images(folder / "train/a", folder / "train/b", folder / "val/a", folder / "test/b")
    Image.new("RGB", (6, 4)).save(folder / where / "stray.png")
    source = load(ImageFolder(root=str(folder)))
    assert len(inputs(source)) == 8
    assert source.notes, "stray.png was left out without a word"


def test_whole_numbers_are_sorted_by_value(folder: Path) -> None:
    images(folder / "10", folder / "9", folder / "-1", folder / "100", count=1)
    assert classes(load(ImageFolder(root=str(folder)))) == ["-1", "9", "10", "100"]


def test_a_word_among_the_numbers_sorts_by_name(folder: Path) -> None:
    images(folder / "10", folder / "9", folder / "x", count=1)
    assert classes(load(ImageFolder(root=str(folder)))) == ["10", "9", "x"]


@pytest.mark.parametrize("name", ["²", "--1"])
def test_names_that_only_look_like_numbers(folder: Path, name: str) -> None:
    images(folder / name, folder / "3", count=1)
    assert set(classes(load(ImageFolder(root=str(folder))))) == {name, "3"}


def test_equal_numbers_keep_one_order_in_every_process() -> None:
    code = "import numpy as np; from tlx.columns.label import index_classes as f; "
    code += "print(f(['1', '01', '001', '0001'], np.arange(4))[1])"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(5)
    ]
    assert len(set(runs)) == 1


@pytest.mark.parametrize(("mode", "count"), [("L", 1), ("RGB", 3)])
def test_channels_are_counted(folder: Path, mode: str, count: int) -> None:
    images(folder / "a", folder / "b", mode=mode)
    np.testing.assert_equal(channels(load(ImageFolder(root=str(folder)))), count)


def test_nothing_there(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no images found; expected <root>/<class>"):
        load(ImageFolder(root=str(folder)))
    with pytest.raises(DataError, match="not a folder"):
        load(ImageFolder(root=str(folder / "absent")))
