"""A batch: named, changed and moved as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tlx.columns import Category, Label, Number, Text
from tlx.columns.batch import Batch
from tlx.data.examples import Examples
from tlx.data.source import Source


@pytest.fixture
def batch() -> Batch:
    """One of each."""
    inputs = {
        "image": torch.rand(2, 1, 3, 3),
        "text": {"input_ids": torch.ones(2, 4), "attention_mask": torch.ones(2, 4)},
    }
    meta = {"weight": torch.tensor([1.0, 2.0]), "patient": ["a", "b"]}
    kept = [[torch.rand(2, 5)], [torch.rand(2, 6), torch.rand(2, 7)]]
    return Batch(torch.tensor([5, 9]), inputs, {"label": torch.tensor([0, 1])}, meta, kept)


def test_every_tensor_of_a_batch_is_named(batch: Batch) -> None:
    found = dict(batch.tensors())
    names = [
        "index",
        "inputs.image",
        "inputs.text.input_ids",
        "inputs.text.attention_mask",
        "targets.label",
        "meta.weight",
    ]
    assert [name for name in found if not name.startswith("kept")] == names
    assert found["index"] is batch.index
    assert found["inputs.text.input_ids"] is batch.inputs["text"]["input_ids"]
    assert len(batch) == 2


def test_every_tensor_of_a_batch_is_changed(batch: Batch) -> None:
    seen: list[Tensor] = []

    def change(tensor: Tensor) -> Tensor:
        seen.append(tensor)
        return tensor[1:]

    half = batch.map(change)
    assert len(half) == 1
    assert half.index.tolist() == [9]
    assert half.kept is not None
    assert batch.kept is not None
    assert [[one.shape[0] for one in row] for row in half.kept] == [[1], [1, 1]]
    assert torch.equal(half.kept[1][1], batch.kept[1][1][1:])
    assert half.meta["patient"] == ["a", "b"]  # words are no tensors
    assert len(seen) == len([name for name, _ in batch.tensors() if not name.startswith("kept")]) + 3
    assert all(
        torch.equal(mine, wanted[1:]) for (_, mine), (_, wanted) in zip(half.tensors(), batch.tensors(), strict=True)
    )


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "meta"])
def test_a_batch_moves_as_a_whole(batch: Batch, device: str | torch.device) -> None:
    moved = batch.to(device)
    kind = torch.device(device).type
    assert {tensor.device.type for _, tensor in moved.tensors()} == {kind}
    assert moved.kept is not None
    assert {one.device.type for row in moved.kept for one in row} == {kind}
    assert moved.meta["patient"] == ["a", "b"]
    if kind == "cpu":
        assert all(torch.equal(a, b) for (_, a), (_, b) in zip(moved.tensors(), batch.tensors(), strict=True))


def test_a_task_sees_nothing_of_what_was_kept(batch: Batch) -> None:
    bare = batch.without_kept()
    assert bare.kept is None
    assert batch.kept is not None
    assert bare.inputs is batch.inputs
    assert bare.without_kept() is bare


def test_a_batch_holds_what_is_known_of_its_examples() -> None:
    columns = [
        Number("size"),
        Label("label"),
        Number("share", role="weight"),
        Category("patient", role="group"),
        Text("name", role="id"),
    ]
    rows: dict[str, Sequence[Any]] = {
        "size": [1.0, 2.0, 3.0, 4.0],
        "label": ["b", "a", "b", "a"],
        "share": [1, 0, 2, 5],
        "patient": ["x", "y", "x", "z"],
        "name": ["n0", "n1", "n2", "n3"],
    }
    source = Source(columns, rows, {}).encoded().fitted(np.array([0, 1]))
    examples = Examples(source, np.array([3, 1, 0]), {})
    found = examples.__getitems__([(0, 2), (0, 0)])
    assert found.index.tolist() == [0, 3]
    assert found.inputs["size"].tolist() == [-1, 5]  # in deviations of the first two
    assert found.targets["label"].tolist() == [1, 0]
    assert found.meta["share"].tolist() == [1, 5]
    assert list(found.meta["patient"]) == ["x", "z"]
    assert list(found.meta["name"]) == ["n0", "n3"]
    assert source.schema({}).weight == "share"
