"""Pre-flight: unreadable files are named before the first step, skipped when asked, and looked at again if changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from tests.data.conftest import inputs, load
from tlx.columns import Image as Column
from tlx.columns.decoding import DEFAULT
from tlx.columns.formats.pixels import Pixels
from tlx.columns.input_spec import ImageSpec
from tlx.config.dataset import ImageFolder, Table
from tlx.config.dataset_parts import Limits
from tlx.config.errors import DataError
from tlx.data.module import Data
from tlx.data.validation import check

CLASSES = ("a", "b", "c")


def write(path: Path, seed: int = 0) -> Path:
    """An image of noise: half of its bytes are not enough."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(256, size=(32, 32, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def root(folder: Path) -> Path:
    """Three classes in three splits, all sound."""
    names = itertools.product(("train", "val", "test"), CLASSES, range(3))
    for seed, (split, name, i) in enumerate(names, start=1):
        write(folder / "images" / split / name / f"{i}.png", seed)
    return folder / "images"


def data(root: Path, on_bad: str = "error") -> Data:
    """The folder as data of a trial."""
    return Data(ImageFolder(root=str(root), on_bad=on_bad), seed=0, batch_size=4)


def truncate(path: Path) -> None:
    """Keep the first half of an image."""
    content = write(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])


BREAK: dict[str, Callable[[Path], object]] = {
    "half.png": truncate,
    "half.jpg": truncate,
    "zero.png": Path.touch,
    "text.png": lambda path: path.write_text("not an image"),
    "text.npy": lambda path: path.write_text("not an array"),
    "nan.npy": lambda path: np.save(path, np.full((4, 4, 3), np.nan)),
    "none.npy": lambda path: np.save(path, np.zeros((0, 4, 3))),
    "deep.npy": lambda path: np.save(path, np.zeros((4, 4, 13), np.uint8)),
}


@pytest.mark.parametrize("name", BREAK)
@pytest.mark.parametrize("split", ["train", "test"])
def test_each_kind_of_bad_file_is_found_in_any_split(root: Path, split: str, name: str) -> None:
    BREAK[name](root / split / "a" / name)
    with pytest.raises(DataError) as caught:
        data(root)
    assert [p.key for p in caught.value.problems] == [str(root / split / "a" / name), "dataset.on_bad"]


def test_every_bad_file_is_listed_and_many_are_counted(root: Path) -> None:
    for i in range(23):
        BREAK["zero.png"](root / "train" / CLASSES[i % 3] / f"bad{i}.png")
    with pytest.raises(DataError) as caught:
        data(root)
    listed = [p.key for p in caught.value.problems if Path(p.key).name.startswith("bad")]
    assert len(set(listed)) == 20
    assert "and 3 more" in str(caught.value)


def test_skip_drops_and_notes(root: Path) -> None:
    bad = [root / "train" / "a" / "half.png", root / "val" / "b" / "zero.png"]
    for path in bad:
        BREAK[path.name](path)
    found = data(root, "skip")
    assert found.schema.counts == {"train": 9, "val": 9, "test": 9}
    used = {str(inputs(found.source)[i]) for indices in found.splits.values() for i in indices}
    assert used.isdisjoint(map(str, bad))
    assert len(found.source.notes) == 1
    assert "2 unreadable" in found.source.notes[0]
    assert all(str(path) in found.source.notes[0] for path in bad)


@pytest.mark.parametrize(("split", "message"), [("train", "no example of class 'b'"), ("val", "no examples are left")])
def test_nothing_left_after_skipping_is_an_error(root: Path, split: str, message: str) -> None:
    for name in CLASSES if split == "val" else ["b"]:
        for path in (root / split / name).iterdir():
            truncate(path)
    with pytest.raises(DataError, match=message):
        data(root, "skip")


def test_a_palette_with_transparency_is_a_sound_image(root: Path) -> None:
    indexed = Image.open(root / "train" / "a" / "0.png").quantize(16)
    indexed.save(root / "train" / "a" / "palette.png", transparency=bytes(range(16)))
    assert data(root).schema.counts["train"] == 10


def test_what_was_seen_is_remembered_by_content(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    usual = Column.decoded

    def counted(self: Column, value: Any, limits: Limits = DEFAULT) -> Pixels:
        decoded.append(str(value))
        return usual(self, value, limits)

    monkeypatch.setattr(Column, "decoded", counted)
    config = ImageFolder(root=str(root))

    def looked_at() -> set[str]:
        source = load(config)
        decoded.clear()
        check(source, source.splits, config, "")
        return {str(Path(one).relative_to(root)) for one in decoded}

    assert len(looked_at()) == 27
    assert looked_at() == set()
    write(root / "train" / "a" / "new.png", seed=99)
    (root / "test" / "c" / "1.png").rename(root / "test" / "c" / "renamed.png")
    assert looked_at() == {"train/a/new.png"}
    truncate(root / "train" / "a" / "0.png")
    with pytest.raises(DataError, match=r"train/a/0\.png"):
        looked_at()


def test_a_changed_file_is_looked_at_again(root: Path) -> None:
    assert data(root).source.notes == []
    truncate(root / "test" / "c" / "1.png")
    with pytest.raises(DataError, match=r"test/c/1\.png"):
        data(root)
    write(root / "test" / "c" / "1.png", seed=9)
    assert data(root).schema.counts["test"] == 9


def test_only_a_data_set_found_whole_is_remembered(root: Path) -> None:
    """A file that could not be read once (a busy network drive) is not condemned for good."""
    config = ImageFolder(root=str(root))
    source = load(config)
    hidden = (root / "train" / "a" / "0.png").rename(root / "elsewhere")
    with pytest.raises(DataError, match="FileNotFoundError"):
        check(source, source.splits, config, "remembered-3")
    hidden.rename(root / "train" / "a" / "0.png")
    assert len(check(source, source.splits, config, "remembered-3")["train"]) == 9


def test_what_is_remembered_belongs_to_the_image_not_to_its_place(folder: Path) -> None:
    """Skipping another row moves every row after it."""
    rows = [f"{write(folder / f'{i}.png').name},{'xy'[i % 2]},{'xy'[i % 2]}" for i in range(20)]
    truncate(folder / "bad.png")
    (folder / "a.csv").write_text("\n".join(["image,some,all", "bad.png,,x", *rows]))
    table = Table(file="a.csv", modality="image", input="image", label="some", on_bad="skip")
    Data(table, seed=0, batch_size=4)
    table.label, table.on_bad = "all", "error"
    with pytest.raises(DataError, match=r"a\.csv:2 "):
        Data(table, seed=0, batch_size=4)


def test_rows_may_name_files_by_relative_and_absolute_paths(folder: Path) -> None:
    names = [write(folder / f"{i}.png", i).name if i % 2 else str(write(folder / f"{i}.png", i)) for i in range(20)]
    for order in (names, names[::-1]):
        (folder / "a.csv").write_text(
            "\n".join(["image,label", *(f"{one},{'xy'[i // 2 % 2]}" for i, one in enumerate(order))])
        )
        found = Data(Table(file="a.csv", modality="image", input="image"), seed=0, batch_size=4)
        assert sum(found.schema.counts.values()) == 20


def test_a_limit_that_no_image_fits_is_named(folder: Path) -> None:
    """Each was seen before, and only its decoder knows how much lies before the slice that is read."""
    for i in range(20):
        place = folder / "images" / "xy"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        volume = np.random.default_rng(i).integers(4000, size=(8, 8, 10)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), place / f"{i}.nii.gz")
    config = ImageFolder(root=str(folder / "images"))
    Data(config, seed=0, batch_size=4)
    config.limits.pixels = 100
    with pytest.raises(DataError) as caught:
        Data(config, seed=0, batch_size=4)
    assert all("dataset.limits.pixels" in problem.message for problem in caught.value.problems[:-2])


def test_other_seeds_and_networks_have_the_data_as_if_they_were_looked_at_again(folder: Path) -> None:
    """Whatever was left out for the network before, and is said of its shots."""
    for i in range(40):
        path = folder / "images" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (400 if i in (6, 9) else 8, 8), 40 + i // 4).save(path)
    config = ImageFolder(root=str(folder / "images"), on_bad="skip", shots=4, limits=Limits(resized_pixels=2000))
    first = Data(config, seed=0, batch_size=4)
    small, large = (ImageSpec(1, side, side, (0.5,), (0.25,)) for side in (4, 8))
    assert not first.leave_out({"image": small})
    assert first.leave_out({"image": large})
    for seed in (0, 1, 2):
        for spec in (small, large):
            again, anew = first.with_seeds(seed, 7, 8), Data(config, seed=seed, batch_size=8, order_seed=7)
            assert again.leave_out({"image": spec}) == anew.leave_out({"image": spec}) == (spec is large)
            assert not again.leave_out({"image": spec})
            assert again.hashes() == anew.hashes()
            assert again.schema == anew.schema
            assert again.source.notes == anew.source.notes
            assert (again.order_seed, again.batch_size) == (7, 8)
