"""Several processes and one store: work is done once, a killed one leaves nothing, readers keep what they read."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.feature_cache.entries import KEY, bits, leaf, numbers, publish, put, rows
from tlx.feature_cache import entry, features
from tlx.feature_cache import store as stores
from tlx.feature_cache.entry import Column, CorruptEntryError, Writer
from tlx.feature_cache.features import Features
from tlx.feature_cache.store import Store
from tlx.files import durable

FORK = multiprocessing.get_context("fork")  # new interpreters would import torch for seconds
Process = tuple[ForkProcess, "Connection[object, object]"]


def start(act: Callable[..., None], *words: object) -> Process:
    """Run a function in a process of its own; what it says can be heard."""
    ear, mouth = FORK.Pipe(duplex=False)
    process = FORK.Process(target=act, args=(mouth.send, *words), daemon=True)
    process.start()
    mouth.close()
    return process, ear


def heard(process: Process) -> str:
    assert process[1].poll(120)
    return str(process[1].recv())


def kill(process: Process) -> None:
    assert process[0].pid is not None
    os.kill(process[0].pid, signal.SIGKILL)
    process[0].join()


def fill(say: Callable[[str], None], root: Path, point: str) -> None:
    """Fill an entry unless it is there, then read it; stop at some point for good."""

    def reached(name: str) -> None:
        if name == point:
            say("reached")
            time.sleep(60)

    store, sync, write_meta = Store(root, 10**9), durable.sync_folder, entry.write_meta

    def synced(folder: Path) -> None:
        reached("renamed" if (root / KEY).exists() else "synced" if (folder / entry.META).exists() else "")
        sync(folder)

    def closed(folder: Path, meta: entry.Meta) -> None:
        reached("closed")
        write_meta(folder, meta)

    patch = pytest.MonkeyPatch()  # this process ends with it
    patch.setattr(durable, "sync_folder", synced)
    patch.setattr(stores, "write_meta", closed)
    with store.filling([KEY]) as wanted:
        reached("locked")
        if wanted:
            with (root / "work").open("a") as stream:
                stream.write(f"{os.getpid()}\n")
            folder, whole = store.aside(KEY), numbers(torch.float32, 1000, 20)
            reached("begun")
            column = Column.of(leaf("rows", whole), whole)
            writer = Writer(folder, 0, [column])
            writer.append([whole[:500]], 500)
            reached("half")
            time.sleep(0.2)
            writer.append([whole[500:]], 500)
            publish(store, KEY, folder, [column], [writer.close()], 1000)
    (taken,) = Features(store, KEY).take(np.arange(1000))
    say(f"read {bits(taken) == bits(numbers(torch.float32, 1000, 20))}")


def read_for_long(say: Callable[[str], None], root: Path) -> None:
    read = Features(Store(root, 10**9), KEY)
    say(f"reading {len(read)}")
    time.sleep(60)


def read_at_random(say: Callable[[str], None], root: Path) -> None:
    """Says by how many MB the process grew."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    read, rng = Features(Store(root, 10**10), KEY), np.random.default_rng(0)
    assert not read.in_memory
    before, most = resident(), 0
    for _ in range(60):
        wanted = rng.integers(0, len(read), 64)
        (taken,) = read.take(wanted)
        assert (taken[:, 0].numpy() == wanted // 64).all()
        most = max(most, resident())
    say(str((most - before) >> 20))


@pytest.fixture
def store(folder: Path) -> Store:
    made = Store(folder / "store", 10**9)
    made.root.mkdir()
    return made


POINTS = ("locked", "begun", "half", "closed", "synced")


def test_a_killed_fill_leaves_nothing_that_is_found_and_the_next_sweeps_up(store: Store) -> None:
    """SIGKILL at five points, each in a process of its own; whoever waits for the lock gets it then."""
    running = []
    for point in POINTS:
        place = store.root / point
        place.mkdir()
        running.append((place, start(fill, place, point)))
    for place, process in running:
        assert heard(process) == "reached"
        killed = Store(place, 10**9)
        kill(process)
        assert not killed.has(KEY)
        assert killed.entries() == []
        with pytest.raises(CorruptEntryError):
            Features(killed, KEY)
        with killed.filling([KEY]) as wanted:
            assert wanted == [KEY]
            assert list((place / ".filling").glob("*")) == []
            put(killed, [[torch.ones(3, 2)]], ["rows"])
        read = Features(killed, KEY)
        assert len(read) == 3
        read.close()


def test_a_fill_killed_after_renaming_has_left_a_whole_entry(store: Store) -> None:
    process = start(fill, store.root, "renamed")
    assert heard(process) == "reached"
    kill(process)
    with store.filling([KEY]) as wanted:
        assert wanted == []
    read = Features(store, KEY)
    assert bits(read.take(rows(*range(1000)))[0]) == bits(numbers(torch.float32, 1000, 20))
    read.close()


@pytest.mark.parametrize("count", [2, 4])
def test_racing_processes_fill_once_and_read_the_same(store: Store, count: int) -> None:
    racing = [start(fill, store.root, "nowhere") for _ in range(count)]
    assert {heard(process) for process in racing} == {"read True"}
    assert len((store.root / "work").read_text().splitlines()) == 1


def test_who_waits_for_a_fill_that_is_killed_takes_over(store: Store) -> None:
    first = start(fill, store.root, "half")
    assert heard(first) == "reached"
    second = start(fill, store.root, "nowhere")
    time.sleep(0.2)
    kill(first)
    assert heard(second) == "read True"
    assert len((store.root / "work").read_text().splitlines()) == 2
    assert list((store.root / ".filling").iterdir()) == []


def test_what_another_process_reads_is_not_evicted_until_it_dies(store: Store) -> None:
    put(store, [[torch.ones(100, 20)]], ["rows"])
    reader = start(read_for_long, store.root)
    assert heard(reader) == "reading 100"
    assert [found.busy for found in store.entries()] == [True]
    assert store.prune(0) == 0
    assert store.has(KEY)
    kill(reader)
    assert [found.busy for found in store.entries()] == [False]
    assert store.prune(0) > 0
    assert not store.has(KEY)


@pytest.mark.slow
def test_reading_a_large_store_at_random_stays_small(store: Store) -> None:
    """768 MB of mapped files, 64 rows of 64 kB at a time; 128 MB may stay, and as much is compared at once."""
    assert features._MEMORY < 3 << 28
    put(store, [[torch.full((64, 1 << 14), float(number))] for number in range(192)], ["rows"])
    assert int(heard(start(read_at_random, store.root))) < 300
