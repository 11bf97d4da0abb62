"""Examples of equal inputs: how many lie in several splits, how many have another label; kept in one split."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tlx.columns import Column, Image
from tlx.columns.reading import Indices, Values
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.data import fingerprint, perceptual
from tlx.data.groups import Groups
from tlx.data.perceptual import Hashes
from tlx.data.source import Source

_SHOWN = 2  # pairs that are named


@dataclass(frozen=True)
class Copies:
    """What is equal, and what looks alike.

    Attributes:
        codes: A number for the content of each example: equal where that is [examples].
        looks: The number of its perceptual hashes, -1 for none [examples]; empty where nobody asked.
        hashes: Those of each number, one for each column of images [numbers, columns].
        distance: Bits in which hashes of images that look alike differ at most.
        notes: What could not be compared.
    """

    codes: Indices
    looks: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    hashes: Hashes = field(default_factory=lambda: np.zeros((0, 1), dtype=np.uint64))
    distance: int = 0
    notes: tuple[str, ...] = ()


def copies_of(source: Source, config: Dataset) -> Copies:
    """Compare all examples of an encoded source by what a network reads of them.

    Examples look alike where the images of every column do.
    """
    found = np.zeros(len(source), dtype=np.int64)
    hashed: list[list[int | None]] = []
    for column in source.columns:
        if column.role != "input":
            continue
        values = source.rows[column.name]
        files = _files(column, values) if column.name not in source.contents else []
        is_cheap = isinstance(values, (list, np.ndarray)) and not files
        if not is_cheap and not _is_asked_for(config):
            message = f"duplicates of {column.name!r} are not looked for, as each would be fetched"
            return Copies(np.arange(len(source)), notes=(f"{message}: dataset.duplicates=group or error does",))
        contents = source.contents[column.name]() if column.name in source.contents else None
        if files:
            contents = fingerprint.contents("", ((str(file), os.path.abspath(file), file) for file in files))
        codes = _numbers(values) if contents is None else _of_files(contents)
        found = np.unique(found * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
        if isinstance(column, Image) and config.near_duplicates is not None:
            hashed.append(perceptual.hashes_of(column, values, contents, config.limits))
    if not hashed or config.near_duplicates is None:
        return Copies(found.astype(np.int64))
    rows = list(zip(*hashed, strict=True))
    has = np.array([None not in row for row in rows], dtype=np.bool_)
    known = np.array([row for row in rows if None not in row], dtype=np.uint64).reshape(-1, len(hashed))
    looks = np.full(len(rows), -1)
    different, numbers = np.unique(known, axis=0, return_inverse=True)
    looks[has] = numbers.reshape(-1)
    return Copies(found.astype(np.int64), looks, different, config.near_duplicates)


def _files(column: Column, values: Values) -> list[Path]:
    """The files that values name; none where they are the values themselves."""
    if not isinstance(values, list) or not values or column.file(values[0]) is None:
        return []
    found = [column.file(value) for value in values]
    return [file for file in found if file is not None] if None not in found else []


def _is_asked_for(config: Dataset) -> bool:
    return config.duplicates != "warn" or config.near_duplicates is not None


def units_of(copies: Copies, groups: Groups | None) -> Indices:
    """A number for what has to stay together: equal or nearly equal examples, and those of a group with them."""
    from scipy.sparse import coo_array  # takes half a second, for those alone who ask
    from scipy.sparse.csgraph import connected_components

    edges = [_chained(copies.codes), _chained(_alike(copies))]
    edges += [_chained(groups.codes)] if groups is not None else []
    joined = np.concatenate(edges)
    count = len(copies.codes)
    graph = coo_array((np.ones(len(joined), dtype=bool), (joined[:, 0], joined[:, 1])), shape=(count, count))
    units: Indices = connected_components(graph, directed=False)[1].astype(np.int64)
    return units


def _alike(copies: Copies) -> Indices:
    """A number for what looks alike, over any number of steps, -1 for none [examples]; empty where nobody asked."""
    if not len(copies.looks):
        return copies.looks
    numbers, places = np.unique(copies.looks, return_inverse=True)
    used = numbers[numbers >= 0]
    found = perceptual.joined(copies.hashes[used], copies.distance)
    spared = np.full(len(numbers) - len(used), -1)
    alike: Indices = np.concatenate([spared, found])[places.reshape(-1)]
    return alike


def look(source: Source, splits: Mapping[str, Indices], config: Dataset, copies: Copies) -> None:
    """Say which equal examples lie in several splits or have different labels, in the source's notes.

    Args:
        source: Of the examples.
        splits: Of those that can be read.
        config: Its ``duplicates`` decides whether they are refused.
        copies: Of all examples.

    Raises:
        DataError: Splits share content, and that is not to be: ``error``, or ``group`` where the data bring the splits.
    """
    told = [
        told for name in ("val", "test") if name in splits if (told := _shared(source, splits, name, copies, config))
    ]
    if told and config.duplicates != "warn":
        brought = "; the data bring these splits" if config.duplicates == "group" else ""
        raise DataError([ConfigIssue("dataset.duplicates", f"{one}{brought}", config.duplicates) for one in told])
    hint = "dataset.duplicates=group keeps equal examples in one split"
    hint += ", with dataset.validation=extra" if config.validation == "within" else ""
    kept = copies.codes[np.concatenate(list(splits.values()))]
    repeated = len(kept) - len(np.unique(kept))
    if config.duplicates == "group" and repeated:
        told.append(f"{repeated:,} examples are copies of others, and lie in the same split")
    elif told and config.split_by != "time":
        told[-1] += f"; {hint}"
    source.notes.extend([*copies.notes, *told, *_contradictory(source, splits, copies)])


def _shared(source: Source, splits: Mapping[str, Indices], name: str, copies: Copies, config: Dataset) -> str:
    """How many examples of a split lie in a split before it as well; empty where none does."""
    before = [one for one in ("train", "val") if one in splits and one != name]
    own, others = splits[name], np.concatenate([splits[one] for one in before])
    equal = np.isin(copies.codes[own], copies.codes[others])
    said = []
    if equal.any():
        twins = _twins(own[equal], others, copies.codes)
        said.append(
            f"{int(equal.sum()):,} of {len(own):,} examples of {name} equal one of {' or '.join(before)} "
            f"({_named(source, twins)})"
        )
    if len(copies.looks):
        alike = _is_near(copies, own, others) & ~equal
        if alike.any():
            said.append(
                f"{int(alike.sum()):,} {'more' if said else f'examples of {name}'} look like one of "
                f"{' or '.join(before)} (at most {config.near_duplicates} of 64 bits of their hashes differ: "
                f"{', '.join(source.origin(int(i)) for i in own[alike][:_SHOWN])})"
            )
    return ", ".join(said)


def _is_near(copies: Copies, own: Indices, others: Indices) -> npt.NDArray[np.bool_]:
    """Does an example look like one of the others?"""
    there = np.unique(copies.looks[others])
    mine = np.unique(copies.looks[own])
    there, mine = there[there >= 0], mine[mine >= 0]
    found = perceptual.is_near_one(copies.hashes[mine], copies.hashes[there], copies.distance)
    return np.isin(copies.looks[own], mine[found])


def _contradictory(source: Source, splits: Mapping[str, Indices], copies: Copies) -> Iterable[str]:
    """A note on equal examples whose targets differ."""
    used = np.sort(np.concatenate(list(splits.values())))
    _, kinds, counts = np.unique(copies.codes[used], return_inverse=True, return_counts=True)
    repeated = used[counts[kinds] > 1]
    first: dict[int, tuple[int, bytes]] = {}
    against: dict[int, tuple[int, int]] = {}
    targets = [source.rows[column.name] for column in source.columns if column.role == "target"]
    for i, code in zip(repeated.tolist(), copies.codes[repeated].tolist(), strict=True):
        answer = b"|".join(_bytes(values[i]) for values in targets)
        known = first.setdefault(code, (i, answer))
        if known[1] != answer:
            against.setdefault(code, (known[0], i))
    if against:
        yield f"{len(against):,} inputs stand there with different targets ({_named(source, against.values())})"


def _twins(own: Indices, others: Indices, codes: Indices) -> list[tuple[int, int]]:
    """Some examples, each with one of the others that equals it."""
    order = np.argsort(codes[others], kind="stable")
    chosen = own[:_SHOWN]
    at = order[np.searchsorted(codes[others], codes[chosen], sorter=order)]
    return list(zip(chosen.tolist(), others[at].tolist(), strict=True))


def _named(source: Source, pairs: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{source.origin(a)} = {source.origin(b)}" for a, b in list(pairs)[:_SHOWN])


def _chained(codes: Indices) -> npt.NDArray[np.int64]:
    """Each example with the next one of its number, of those that have one."""
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    same = codes[order][1:] == codes[order][:-1]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def _numbers(values: Values) -> Indices:
    """A number for each value, the same for equal ones."""
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "buif":
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    seen: dict[Any, int] = {}
    contents = (value if isinstance(value, str) else _digest(value) for value in values)
    return np.fromiter((seen.setdefault(one, len(seen)) for one in contents), dtype=np.int64, count=len(values))


def _of_files(contents: Sequence[str]) -> Indices:
    """A number for each file by its content; one that cannot be read is equal to none."""
    return _numbers([content or f"unreadable {i}" for i, content in enumerate(contents)])


def _digest(value: Any) -> bytes:
    """Of an array or a picture of PIL's, by its kind, size and bytes; of anything else as it is written."""
    kind = [str(getattr(value, name, "")) for name in ("dtype", "mode", "shape", "size")]
    return hashlib.blake2b(_bytes(value), digest_size=16, key="|".join(kind).encode()[:64]).digest()


def _bytes(value: Any) -> bytes:
    return bytes(value.tobytes()) if hasattr(value, "tobytes") else str(value).encode(errors="surrogateescape")
