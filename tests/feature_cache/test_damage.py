"""No byte that changed on disk is ever used, whichever it is: reading says that the entry is damaged instead."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.feature_cache.entries import KEY, bits, leaf, numbers, publish, put, rows
from tlx.feature_cache import features
from tlx.feature_cache.entry import Column, CorruptEntryError, Writer
from tlx.feature_cache.features import Features
from tlx.feature_cache.store import Store

EVERYTHING = rows(0, 1, 2, 3, 4)


@pytest.fixture(params=["memory", "mapped"], autouse=True)
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Entries held in memory, then entries too large for it."""
    if request.param == "mapped":
        monkeypatch.setattr(features, "_MEMORY", 0)
    return str(request.param)


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder / "store", 10**9)


@pytest.fixture
def entry(store: Store) -> Path:
    """Rows, of two writers, and tokens: about 700 bytes of data in four files."""
    padded = numbers(torch.float32, 5, 4, 3, seed=1)
    whole = numbers(torch.bfloat16, 5, 6)
    columns = [Column.of(leaf("rows", whole), whole), Column.of(leaf("tokens", padded), padded)]
    folder, closed, lengths = store.aside(KEY), [], [4, 1, 2, 3, 2]
    for start, stop in ((0, 3), (3, 5)):
        writer = Writer(folder, start, columns)
        writer.append([whole[start:stop], padded[start:stop]], stop - start, lengths[start:stop])
        closed.append(writer.close())
    return publish(store, KEY, folder, columns, closed, 5)


def read(store: Store) -> list[Tensor]:
    opened = Features(store, KEY)
    try:
        return opened.take(EVERYTHING)
    finally:
        opened.close()


def refused_or_unchanged(store: Store, expected: list[Tensor]) -> bool:
    """Was the damage found? If not, what was read has to be what was written."""
    try:
        taken = read(store)
    except CorruptEntryError:
        return True
    assert [bits(one) for one in taken] == [bits(one) for one in expected]
    return False


def flips(path: Path, places: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The file with one byte changed at a time."""
    sound = path.read_bytes()
    for place, mask in places:
        changed = bytearray(sound)
        changed[place] ^= mask
        path.write_bytes(changed)
        yield place, mask
    path.write_bytes(sound)


FILES = ("0-0.npy", "0-1.npy", "3-0.npy", "3-1.npy")


@pytest.mark.parametrize("name", FILES)
def test_any_changed_byte_of_the_data_is_found(store: Store, entry: Path, name: str) -> None:
    size, rng = (entry / name).stat().st_size, np.random.default_rng(0)
    places = ((place, int(1 << rng.integers(8))) for place in range(256, size))
    for place, mask in flips(entry / name, places):
        with pytest.raises(CorruptEntryError):
            read(store)
        assert place >= 256, mask
    read(store)


@pytest.mark.parametrize("name", FILES[:2])
def test_any_changed_bit_of_a_header_is_found_or_harmless(store: Store, entry: Path, name: str) -> None:
    expected = read(store)
    places = ((place, 1 << bit) for place in range(100) for bit in range(8))
    found = sum(refused_or_unchanged(store, expected) for _ in flips(entry / name, places))
    assert found > 400


def test_any_changed_byte_of_the_description_is_found_or_harmless(store: Store, entry: Path) -> None:
    expected = read(store)
    size, rng = (entry / "entry.json").stat().st_size, np.random.default_rng(0)
    places = ((place, int(1 << rng.integers(8))) for place in range(size))
    found = sum(refused_or_unchanged(store, expected) for _ in flips(entry / "entry.json", places))
    assert found > 0.95 * size


CUTS: dict[str, Callable[[int], int]] = {
    "to nothing": lambda size: 0,
    "within the header": lambda size: 40,
    "after the header": lambda size: 256,
    "by one byte": lambda size: size - 1,
    "by half": lambda size: size // 2,
    "made longer": lambda size: size + 4,
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", ["0-0.npy", "3-1.npy", "entry.json"])
def test_a_file_of_another_length_is_found(store: Store, entry: Path, name: str, cut: str) -> None:
    expected = read(store)
    data = (entry / name).read_bytes()
    (entry / name).write_bytes((data + b"\0\0\0\0")[: CUTS[cut](len(data))])
    found = refused_or_unchanged(store, expected)
    assert found or cut == "made longer"


@pytest.mark.parametrize("name", [*FILES, "entry.json"])
def test_a_missing_file_is_found(store: Store, entry: Path, name: str) -> None:
    (entry / name).unlink()
    with pytest.raises(CorruptEntryError):
        read(store)


def test_a_file_of_another_entry_is_found(store: Store, entry: Path) -> None:
    other = put(store, [[numbers(torch.bfloat16, 3, 6, seed=9)]], ["rows"], key="f" * 32)
    shutil.copy(other / "0-0.npy", entry / "0-0.npy")
    with pytest.raises(CorruptEntryError):
        read(store)


def test_an_entry_that_is_not_there_is_damaged(store: Store) -> None:
    with pytest.raises(CorruptEntryError, match="not there"):
        Features(store, KEY)


def test_damage_beyond_what_was_read_so_far_is_found_when_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mapped files are compared block by block, and not again; damage that comes before the first use is found."""
    monkeypatch.setattr(features, "_MEMORY", 0)
    store = Store(folder / "store", 10**9)
    whole = torch.arange(3 * 2**20, dtype=torch.float32).view(12, 2**18)  # three blocks of 4 MiB
    place = put(store, [[whole]], ["rows"])
    opened = Features(store, KEY)
    assert torch.equal(opened.take(rows(0, 3))[0], whole[[0, 3]])
    with (place / "0-0.npy").open("r+b") as stream:
        stream.seek(256 + 9 * 2**20)
        stream.write(b"\xff")
    assert torch.equal(opened.take(rows(7, 1))[0], whole[[7, 1]])
    with pytest.raises(CorruptEntryError, match="block 2"):
        opened.take(rows(11))
    with pytest.raises(CorruptEntryError, match="block 2"):
        opened.take(rows(0, 8))
    opened.close()
