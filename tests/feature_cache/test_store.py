"""Eviction, the budget and what is left behind, within one process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tests.feature_cache.entries import put
from tlx.feature_cache.entry import CorruptEntryError
from tlx.feature_cache.features import Features
from tlx.feature_cache.store import CacheFull, Store

KEYS = [letter * 32 for letter in "abcd"]


@pytest.fixture
def store(folder: Path) -> Store:
    """Four entries of 4256 bytes each, last used in their order."""
    made = Store(folder / "store", 20_000)
    for age, key in enumerate(KEYS):
        put(made, [[torch.zeros(10, 100)]], ["rows"], key=key)
        os.utime(made.root / key / "entry.json", (1000 + age, 1000 + age))
    return made


SIZE = 256 + 4000


def held(store: Store) -> list[str]:
    return [found.key[0] for found in store.entries()]


def test_entries_come_the_least_recently_used_first(store: Store) -> None:
    assert held(store) == ["a", "b", "c", "d"]
    assert {found.meta.bytes for found in store.entries()} == {SIZE}
    Features(store, KEYS[1]).close()
    assert held(store) == ["a", "c", "d", "b"]


def test_room_is_made_by_what_was_used_least_recently(store: Store) -> None:
    store.make_room(20_000 - 4 * SIZE)
    assert held(store) == ["a", "b", "c", "d"]
    store.make_room(20_000 - 3 * SIZE)
    assert held(store) == ["b", "c", "d"]
    Features(store, KEYS[1]).close()
    store.make_room(20_000 - SIZE)
    assert held(store) == ["b"]


def test_what_is_read_is_not_evicted(store: Store) -> None:
    read = Features(store, KEYS[0])
    os.utime(store.root / KEYS[0] / "entry.json", (1000, 1000))
    assert [found.busy for found in store.entries()] == [True, False, False, False]
    store.make_room(20_000 - 2 * SIZE)
    assert held(store) == ["a", "d"]
    with pytest.raises(CacheFull, match="in use"):
        store.make_room(20_000 - SIZE // 2)
    assert held(store) == ["a"]
    read.close()
    store.make_room(20_000 - SIZE // 2)
    assert held(store) == []


def test_more_than_the_budget_is_refused_and_evicts_nothing(store: Store) -> None:
    with pytest.raises(CacheFull, match=r"reuse\.disk allows"):
        store.make_room(20_001)
    assert held(store) == ["a", "b", "c", "d"]


def test_a_nearly_full_disk_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlx.feature_cache.store._SPARE", 1 << 60)
    with pytest.raises(CacheFull, match="nearly full"):
        store.make_room(1)


def test_pruning_says_what_it_evicted(store: Store) -> None:
    said: list[str] = []
    assert store.prune(SIZE, lambda found: said.append(found.key[0])) == 3 * SIZE
    assert said == ["a", "b", "c"]
    assert store.prune(0) == SIZE
    assert store.prune(0) == 0  # which sweeps up their locks
    assert [path.name for path in store.root.iterdir() if path.name not in (".filling", ".tlx")] == []


def test_what_fills_left_behind_is_swept_up(store: Store) -> None:
    left = store.aside("e" * 32)
    (left / "0-0.npy").write_bytes(b"half")
    with store.filling(["f" * 32]) as wanted:
        assert wanted == ["f" * 32]
        mine = store.aside("f" * 32)
        store.prune(10**9)
        assert not left.exists()
        assert mine.exists()  # it is being filled


def test_a_fill_sweeps_up_what_an_earlier_one_of_the_same_key_left(store: Store) -> None:
    left, other = store.aside("e" * 32), store.aside("f" * 32)
    with store.filling(["e" * 32]):
        assert not left.exists()
        assert other.exists()


def test_a_discarded_entry_is_gone_but_open_files_live_on(store: Store) -> None:
    read = Features(store, KEYS[0])
    store.discard(KEYS[0])
    store.discard(KEYS[0])
    assert not store.has(KEYS[0])
    assert read.take(torch.arange(10).numpy())[0].shape == (10, 100)
    read.close()
    with pytest.raises(CorruptEntryError), store.reading(KEYS[0]):
        pass
    assert list((store.root / ".filling").iterdir()) == []


def test_an_entry_without_its_description_can_be_filled_again(store: Store) -> None:
    (store.root / KEYS[0] / "entry.json").unlink()
    assert not store.has(KEYS[0])
    with store.filling([KEYS[0]]) as wanted:
        assert wanted == [KEYS[0]]
        put(store, [[torch.ones(10, 100)]], ["rows"], key=KEYS[0])
    read = Features(store, KEYS[0])
    assert bool(read.take(torch.arange(10).numpy())[0].all())
    read.close()


def test_a_damaged_entry_counts_against_the_budget_until_it_is_gone(store: Store) -> None:
    """Its bytes are on the disk, whatever they say."""
    (store.root / KEYS[0] / "entry.json").write_text("{}")
    store.make_room(20_000 - SIZE)
    left = sum(file.stat().st_size for file in store.root.rglob("*.npy"))
    assert left <= SIZE
