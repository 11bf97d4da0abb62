"""What is kept comes back bit for bit and stride for stride, from memory as from mapped files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import xxhash
from torch import Tensor

from tests.feature_cache.entries import DTYPES, KEY, bits, leaf, numbers, publish, put, rows
from tlx.feature_cache import features
from tlx.feature_cache.cut import NotCacheable, OutputSpec
from tlx.feature_cache.entry import BLOCK, Column, Writer
from tlx.feature_cache.features import Features
from tlx.feature_cache.store import Store


@pytest.fixture(params=["memory", "mapped"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Entries held in memory, then entries too large for it."""
    if request.param == "mapped":
        monkeypatch.setattr(features, "_MEMORY", 0)
    return str(request.param)


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder / "store", 10**9)


def strides(tensor: Tensor) -> list[tuple[int, ...]]:
    """Of every example; where a dimension has but one element its stride says nothing."""
    return [tuple(s for s, size in zip(row.stride(), row.shape, strict=True) if size > 1) for row in tensor]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_comes_back_bit_for_bit(store: Store, where: str, dtype: torch.dtype) -> None:
    whole = numbers(dtype, 7, 3, 5)
    put(store, [[whole[:4]], [whole[4:]]], ["rows"])
    read = Features(store, KEY)
    assert (len(read), read.in_memory) == (7, where == "memory")
    for wanted in (rows(0, 1, 2, 3, 4, 5, 6), rows(5, 0, 5), rows(6)):
        (taken,) = read.take(wanted)
        assert (taken.dtype, taken.shape) == (dtype, (len(wanted), 3, 5))
        assert bits(taken) == bits(whole[torch.from_numpy(wanted)])
    read.close()


LAYOUTS = {
    "contiguous": lambda t: t,
    "channels last": lambda t: t.contiguous(memory_format=torch.channels_last),
    "transposed": lambda t: t.transpose(1, 3).contiguous().transpose(1, 3),
    "turned": lambda t: t.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strides_come_back(store: Store, where: str, layout: str) -> None:
    whole = LAYOUTS[layout](numbers(torch.float32, 6, 3, 4, 5))
    put(store, [[whole[:4]], [whole[4:]]], ["rows"])
    read = Features(store, KEY)
    (taken,) = read.take(rows(4, 1, 0))
    assert bits(taken) == bits(whole[[4, 1, 0]])
    assert taken.stride() == whole.stride()
    assert strides(taken) == strides(whole[:3])
    read.close()


def ragged(dtype: torch.dtype, lengths: list[int], seed: int = 0) -> tuple[Tensor, list[Tensor]]:
    """A padded batch whose padding is no zero, and its texts."""
    padded = numbers(dtype, len(lengths), max(lengths), 4, seed=seed)
    return padded, [text[:length] for text, length in zip(padded, lengths, strict=True)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool], ids=str)
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_ragged_texts_of_several_writers_are_one_run(store: Store, where: str, dtype: torch.dtype, parts: int) -> None:
    batches = [[3, 7, 1], [2, 2], [9, 1, 4], [5]]
    made = [ragged(dtype, lengths, seed) for seed, lengths in enumerate(batches)]
    texts = [text for _, own in made for text in own]
    column = Column.of(leaf("tokens", made[0][0]), made[0][0])
    folder, closed, start = store.aside(KEY), [], 0
    for part in range(parts):
        writer = Writer(folder, start, [column])
        for number in range(len(batches) * part // parts, len(batches) * (part + 1) // parts):
            writer.append([made[number][0]], len(batches[number]), batches[number])
            start += len(batches[number])
        closed.append(writer.close())
    publish(store, KEY, folder, [column], closed, start)
    read = Features(store, KEY)
    for wanted in (list(range(len(texts))), [8, 0, 5, 2], [2, 2], [6]):
        (taken,) = read.take(rows(*wanted))
        expected = torch.nn.utils.rnn.pad_sequence([texts[i] for i in wanted], batch_first=True)
        assert bits(taken) == bits(expected)
        assert taken.shape == expected.shape
    read.close()


def test_a_text_without_tokens_is_all_padding(store: Store, where: str) -> None:
    padded, texts = ragged(torch.float32, [0, 3, 2, 0])
    column = Column.of(leaf("tokens", padded), padded)
    folder = store.aside(KEY)
    writer = Writer(folder, 0, [column])
    writer.append([padded], 4, [0, 3, 2, 0])
    publish(store, KEY, folder, [column], [writer.close()], 4)
    read = Features(store, KEY)
    (taken,) = read.take(rows(3, 1, 0))
    assert bits(taken) == bits(torch.nn.utils.rnn.pad_sequence([texts[i] for i in (3, 1, 0)], batch_first=True))
    read.close()


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_parts_of_several_writers_are_read_as_one(store: Store, where: str, parts: int) -> None:
    batches = [[numbers(torch.float32, 3, 4, seed=i), numbers(torch.int64, 3, seed=i), torch.ones(2)] for i in range(5)]
    put(store, batches, ["rows", "rows", "shared"], parts=parts)
    read = Features(store, KEY)
    one, two, same = read.take(rows(14, 3, 8, 0))
    assert bits(one) == bits(torch.cat([batch[0] for batch in batches])[[14, 3, 8, 0]])
    assert bits(two) == bits(torch.cat([batch[1] for batch in batches])[[14, 3, 8, 0]])
    assert torch.equal(same, torch.ones(2))
    read.close()


def test_what_is_padded_to_fill_a_batch_is_not_kept(store: Store, where: str) -> None:
    whole = numbers(torch.float32, 8, 3)
    column = Column.of(leaf("rows", whole), whole)
    folder = store.aside(KEY)
    writer = Writer(folder, 0, [column])
    writer.append([whole], 5)
    publish(store, KEY, folder, [column], [writer.close()], 5)
    read = Features(store, KEY)
    assert len(read) == 5
    assert bits(read.take(rows(0, 1, 2, 3, 4))[0]) == bits(whole[:5])
    read.close()


def test_what_is_shared_must_be_the_same_for_every_batch(store: Store) -> None:
    column = Column.of(OutputSpec("shared", (3,), 4), torch.ones(3))
    writer = Writer(store.aside(KEY), 0, [column])
    writer.append([torch.ones(3)], 4)
    writer.append([torch.ones(3)], 4)
    with pytest.raises(NotCacheable, match="the same for every batch"):
        writer.append([torch.full((3,), 1.5)], 4)
    writer.abort()


def test_changing_what_was_taken_changes_nothing_kept(store: Store, where: str) -> None:
    batches = [[numbers(torch.float32, 3, 4), torch.ones(2)]]
    put(store, batches, ["rows", "shared"])
    read = Features(store, KEY)
    for tensor in read.take(rows(0, 1, 2)):
        tensor.zero_()
    first, shared = read.take(rows(0, 1, 2))
    assert bits(first) == bits(batches[0][0])
    assert torch.equal(shared, torch.ones(2))
    read.close()


def test_files_are_plain_numpy_and_sums_are_plain_xxhash(store: Store) -> None:
    whole = numbers(torch.float32, 5, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    half = numbers(torch.bfloat16, 5, 2)
    place = put(store, [[whole, half]], ["rows", "rows"])
    np.testing.assert_array_equal(np.load(place / "0-0.npy"), whole.permute(0, 2, 3, 1).numpy())
    bfloat = np.load(place / "0-1.npy")
    assert bfloat.dtype == np.uint16
    assert bfloat.tobytes() == bits(half)
    body = json.loads(json.loads((place / "entry.json").read_text())["body"])
    assert (body["rows"], body["facts"]) == (5, {"made": "by hand"})
    for file in body["parts"][0]["files"]:
        data = np.load(place / file["name"]).tobytes()
        assert file["sums"] == [xxhash.xxh3_64_hexdigest(data)]
        assert (place / file["name"]).stat().st_size == 256 + len(data)


def test_blocks_end_where_a_batch_does_not(store: Store, where: str) -> None:
    """A checksum for every 4 MiB, whatever the batches."""
    whole = torch.arange(3 * 450_000, dtype=torch.float32).view(9, 150_000)
    place = put(store, [[whole[:4]], [whole[4:5]], [whole[5:]]], ["rows"])
    body = json.loads(json.loads((place / "entry.json").read_text())["body"])
    data = whole.numpy().tobytes()
    pieces = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    assert len(pieces) == 2
    assert body["parts"][0]["files"][0]["sums"] == [xxhash.xxh3_64_hexdigest(piece) for piece in pieces]
    read = Features(store, KEY)
    assert torch.equal(read.take(rows(6, 7, 8, 0))[0], whole[[6, 7, 8, 0]])
    read.close()
