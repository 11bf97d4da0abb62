"""Data sets of the hub, from parts in memory: labels of both kinds, lazy images, and what to do without a network."""

from __future__ import annotations

import io
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from tests.data.conftest import channels, inputs, words
from tlx.columns.decoding import array_of
from tlx.config.dataset import Hub
from tlx.config.errors import DataError
from tlx.data.fingerprint import fingerprint
from tlx.data.sources import hub
from tlx.data.validation import check


def part(labels: list[Any], names: list[str] | None = None, column: list[Any] | None = None) -> Any:
    """A split of texts, or of the given column."""
    texts = column or [f"text {i}" for i in range(len(labels))]
    made = datasets.Dataset.from_dict({"text": texts, "label": labels})
    return made.cast_column("label", datasets.ClassLabel(names=names)) if names else made


def picture(value: int, mode: str = "RGB") -> dict[str, Any]:
    """An encoded image, as the hub stores it."""
    stream = io.BytesIO()
    Image.new(mode, (4, 3), (value,) * 3 if mode == "RGB" else value).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


def pictures(items: list[dict[str, Any]], labels: list[str]) -> Any:
    """A split of images."""
    return part(labels, column=items).cast_column("text", datasets.Image())


def vet(config: Hub, items: list[dict[str, Any]], remembered_as: str) -> None:
    """Load four images as the training split and look at each."""
    source = hub.from_parts(config, {"train": pictures(items, list("abab"))}).encoded()
    check(source, {"train": np.arange(4)}, config, remembered_as)


def test_class_labels_become_their_names() -> None:
    source = hub.from_parts(Hub(name="x/y"), {"train": part([1, 0, 1], names=["neg", "pos"])}).encoded()
    assert words(source) == ["pos", "neg", "pos"]
    assert list(inputs(source)) == ["text 0", "text 1", "text 2"]
    assert source.splits == {}


@pytest.mark.parametrize("labels", [["b", "a", "NA"], [3, 1, 2]])
def test_words_and_numbers_are_classes(labels: list[Any]) -> None:
    assert words(hub.from_parts(Hub(name="x/y"), {"train": part(labels)}).encoded()) == [str(label) for label in labels]


def test_parts_are_splits_over_one_sequence() -> None:
    train, val, test = part(["a", "b"]), part(["b"], column=["v"]), part(["b", "a"], column=["t", "u"])
    source = hub.from_parts(Hub(name="x/y"), {"train": train, "val": val, "test": test}).encoded()
    assert {name: list(indices) for name, indices in source.splits.items()} == {
        "train": [0, 1],
        "val": [2],
        "test": [3, 4],
    }
    assert len(inputs(source)) == 5
    assert [inputs(source)[i] for i in range(5)] == ["text 0", "text 1", "v", "t", "u"]
    assert words(source) == ["a", "b", "b", "b", "a"]


def test_a_class_that_train_lacks_is_named() -> None:
    source = hub.from_parts(Hub(name="x/y"), {"train": part(["a", "b"]), "val": part(["a", "zebra"])})
    with pytest.raises(DataError, match="class 'zebra' is not in train") as caught:
        source.encoded()
    assert [problem.key for problem in caught.value.problems] == ["x/y[3]"]


@pytest.mark.parametrize(("labels", "names"), [(["a", None, "b"], None), ([0, 1, -1], ["a", "b"])])
def test_an_example_without_a_label_is_an_error_of_the_data(labels: list[Any], names: list[str] | None) -> None:
    """The hub's test sets often hide their labels as -1."""
    with pytest.raises(DataError):
        hub.from_parts(Hub(name="x/y"), {"train": part(labels, names)}).encoded()


@pytest.mark.parametrize(("mode", "count"), [("L", 1), ("RGB", 3)])
def test_images_are_decoded_when_asked_for(mode: str, count: int) -> None:
    made = pictures([picture(10, mode), picture(200, mode)], ["a", "b"])
    source = hub.from_parts(Hub(name="x/y", modality="image"), {"train": made}).encoded()
    assert channels(source) == count
    found = array_of(inputs(source)[1])
    np.testing.assert_array_equal(found, np.full((3, 4) if mode == "L" else (3, 4, 3), 200))


def test_a_broken_image_is_named_by_the_preflight() -> None:
    items = [picture(value) for value in range(4)]
    config = Hub(name="x/y", modality="image", revision="broken")
    for broken in (2, 0):
        damaged = [*items[:broken], {"bytes": b"no image", "path": None}, *items[broken + 1 :]]
        with pytest.raises(DataError, match=rf"x/y\[{broken}\]"):
            vet(config, damaged, f"hub-broken-{broken}")


def test_other_splits_of_the_same_data_are_looked_at_too() -> None:
    """The pre-flight remembers what it saw by number, and numbers start again in other splits."""
    items = [picture(value) for value in range(4)]
    first = Hub(name="x/y", modality="image", splits={"train": "train[:4]"})
    second = Hub(name="x/y", modality="image", splits={"train": "train[4:]"})
    vet(first, items, fingerprint(first))
    with pytest.raises(DataError, match=r"x/y\[3\]"):
        vet(second, [*items[:3], {"bytes": b"no image", "path": None}], fingerprint(second))


@pytest.mark.usefixtures("datasets_cache")
def test_without_a_network_the_error_says_what_else_there_is() -> None:
    with pytest.raises(DataError) as caught:
        hub.load(Hub(name="nobody/nothing-of-this-name"))
    text = str(caught.value)
    assert "dataset.name = nobody/nothing-of-this-name" in text
    assert "dataset=imagefolder" in text
    assert "dataset=csv" in text
