"""A data set of what a program holds: the same content is the same data, however it is given, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.preprocessing import MultiLabelBinarizer

import tlx
from tlx.columns import Labels
from tlx.config.cache import cache_root
from tlx.config.dataset import Objects
from tlx.config.errors import ConfigError, DataError, RequestError
from tlx.data.module import Data
from tlx.data.sources.objects import load, read

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 8, 8), dtype=np.uint8)
LABELS = [["cat", "dog"][i % 2] for i in range(60)]
FRAME = pandas.DataFrame(
    {
        "age": RNG.normal(size=60),
        "sex": [["f", "m"][i % 2] for i in range(60)],
        "note": ["the patient is well today"] * 60,
        "risk": RNG.normal(size=60),
    }
)


def kept(data: dict[str, Any]) -> Any:
    return read(Objects(name=data["name"], content=data["content"], modality=data["modality"]))


def columns(data: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {name: (one.type, one.role) for name, one in kept(data).columns.items()}


@pytest.mark.parametrize(
    "other",
    [
        lambda: tlx.dataset_from(list(IMAGES), np.array(LABELS)),
        lambda: tlx.dataset_from([Image.fromarray(one) for one in IMAGES], tuple(LABELS)),
        lambda: tlx.dataset_from(IMAGES[..., None].astype(np.int64), pandas.Series(LABELS, index=range(60, 0, -1))),
        lambda: tlx.dataset_from({"label": LABELS, "image": IMAGES}),
        lambda: tlx.dataset_from({"image": list(IMAGES), "label": LABELS}),
    ],
)
def test_the_same_content_is_the_same_data(other: Callable[[], Any]) -> None:
    assert other() == tlx.dataset_from(IMAGES, LABELS)


@pytest.mark.parametrize(
    "other",
    [
        lambda: tlx.dataset_from(np.where(IMAGES[0, 0, 0] == IMAGES, IMAGES ^ 1, IMAGES), LABELS),
        lambda: tlx.dataset_from(IMAGES[::-1], LABELS),
        lambda: tlx.dataset_from(IMAGES, LABELS[::-1]),
        lambda: tlx.dataset_from(IMAGES.reshape(60, 4, 16), LABELS),
        lambda: tlx.dataset_from(IMAGES, LABELS, splits=["train"] * 60),
        lambda: tlx.dataset_from(IMAGES, LABELS, label="animal"),
    ],
)
def test_other_content_is_other_data(other: Callable[[], Any]) -> None:
    assert other()["content"] != tlx.dataset_from(IMAGES, LABELS)["content"]


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip),
            st.floats(allow_nan=False, allow_infinity=False),
            st.sets(st.sampled_from("abc")),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_kept_is_what_was_given(rows: list[tuple[str, float, set[str]]]) -> None:
    texts, numbers, names = map(list, zip(*rows, strict=True))
    types = {"t": "text", "n": "number", "l": {"type": "labels", "role": "target"}}
    found = kept(tlx.dataset_from({"t": texts, "n": numbers, "l": names}, columns=types, label="l"))
    assert found.values == {"t": texts, "n": numbers, "l": [tuple(sorted(one)) for one in names]}


def test_types_are_inferred_as_a_table_has_them() -> None:
    data = tlx.dataset_from(FRAME, label="risk")
    inputs = {"age": ("number", "input"), "sex": ("category", "input"), "note": ("text", "input")}
    assert columns(data) == {**inputs, "risk": ("number", "target")}
    assert "note (text)" in repr(data)


def test_types_and_roles_are_given() -> None:
    data = tlx.dataset_from(
        FRAME, label="sex", columns={"note": "category", "risk": {"type": "number", "role": "weight"}}
    )
    found = columns(data)
    assert (found["note"], found["risk"], found["sex"]) == (
        ("category", "input"), ("number", "weight"), ("label", "target"),
    )  # fmt: skip
    assert set(columns(tlx.dataset_from(FRAME, label="sex", columns=["age"]))) == {"age", "sex"}


def test_rows_of_numbers_are_columns() -> None:
    data = tlx.dataset_from(FRAME[["age", "risk"]].to_numpy(), FRAME["sex"])
    assert columns(data) == {"x0": ("number", "input"), "x1": ("number", "input"), "label": ("label", "target")}


def test_splits_are_as_they_are_given() -> None:
    words = ["train"] * 40 + ["val"] * 8 + ["test"] * 12
    whole = tlx.dataset_from(IMAGES, LABELS, splits=words)
    parts = tlx.dataset_from(
        train=(IMAGES[:40], LABELS[:40]), val=(IMAGES[40:48], LABELS[40:48]), test=(IMAGES[48:], LABELS[48:])
    )
    assert whole == parts
    trial = tlx.compose("backbone=pixels strategy=logistic", dataset=whole)
    data = Data(trial.dataset, seed=0, batch_size=8)
    assert {name: indices.tolist() for name, indices in data.splits.items()} == {
        "train": list(range(40)), "val": list(range(40, 48)), "test": list(range(48, 60)),
    }  # fmt: skip
    half = tlx.dataset_from(IMAGES[:40], LABELS[:40], test=(IMAGES[40:], LABELS[40:]))
    data = Data(tlx.compose("backbone=pixels strategy=logistic", dataset=half).dataset, seed=0, batch_size=8)
    assert data.splits["test"].tolist() == list(range(40, 60))
    assert len(data.splits["val"]) == 6


def test_images_of_several_shapes_are_kept_each() -> None:
    images = [RNG.integers(0, 256, (8 + i % 3, 9, 3), dtype=np.uint8) for i in range(20)]
    found = kept(tlx.dataset_from(images, LABELS[:20]))
    assert all(np.array_equal(one, two) for one, two in zip(found.values["image"], images, strict=True))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: tlx.dataset_from(IMAGES / 255, LABELS), "multiply them by 255"),
        (lambda: tlx.dataset_from(IMAGES * 300.0, LABELS), "expected 0..255"),
        (lambda: tlx.dataset_from(np.zeros((60, 3, 8, 8)), LABELS), "channels come last"),
        (lambda: tlx.dataset_from(IMAGES, LABELS[:5]), "image: 60, label: 5"),
        (lambda: tlx.dataset_from(IMAGES), "without labels"),
        (lambda: tlx.dataset_from(), "expected data and labels"),
        (lambda: tlx.dataset_from(["fine", " "], [0, 1]), "objects[1].text  is empty"),
        (lambda: tlx.dataset_from(["fine", "too"], [0, None]), "objects[1].label  is empty"),
        (lambda: tlx.dataset_from(FRAME, label="rsik"), "did you mean risk?"),
        (lambda: tlx.dataset_from(FRAME, label="sex", columns={"age": "nubmer"}), "did you mean number?"),
        (lambda: tlx.dataset_from(FRAME, label="sex", columns={"age": {"tpye": "number"}}), "expected type and role"),
        (lambda: tlx.dataset_from(IMAGES, LABELS, splits=["tarin"] * 60), "did you mean train?"),
        (lambda: tlx.dataset_from(IMAGES, LABELS, train=(IMAGES, LABELS)), "is said twice"),
        (
            lambda: tlx.dataset_from(train={"a": [1], "label": [1]}, test={"b": [1], "label": [1]}),
            "expected the columns",
        ),
    ],
)
def test_what_does_not_fit_is_told(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(RequestError) as error:
        make()
    assert told in str(error.value)


def test_what_is_gone_or_altered_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLX_CACHE", str(folder / "cache"))
    data = tlx.dataset_from(IMAGES, LABELS)
    file = cache_root() / "objects" / f"{data['content']}.parquet"
    other = cache_root() / "objects" / f"{tlx.dataset_from(IMAGES, LABELS[::-1])['content']}.parquet"
    words = "backbone=pixels strategy=logistic tracking=none"
    file.write_bytes(other.read_bytes())
    with pytest.raises(DataError, match="was altered"):
        tlx.train(words, dataset=data)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read"):
        tlx.train(words, dataset=data)
    file.unlink()
    with pytest.raises(DataError, match=r"call tlx\.dataset_from with the same data again"):
        tlx.train(words, dataset=data)
    assert tlx.dataset_from(IMAGES, LABELS) == data
    run = tlx.train(words, dataset=data)
    file.unlink()
    assert tlx.train(words, dataset=data) == run  # it is finished, and needs no data


@pytest.mark.parametrize("content", ["../../etc/passwd", "", "0" * 63])
def test_a_hash_that_is_none_reads_nothing(content: str) -> None:
    with pytest.raises((DataError, ConfigError)):
        tlx.plan("backbone=pixels strategy=logistic", dataset={"choice": "objects", "content": content})


def test_text_in_a_data_set_is_no_markup() -> None:
    data = tlx.dataset_from({"<script>": ["a b c", "d e f"], "label": [0, 1]}, name="<b>")
    assert "<script>" not in data._repr_html_()
    assert "&lt;script&gt; (text)" in data._repr_html_()


TEXTS = ["one two three"] * 3
NAMES = [["0", "2"], [], ["1"]]


@pytest.mark.parametrize("sparse", [False, True])
def test_indicators_are_the_lists_that_they_were_made_of(sparse: bool) -> None:
    """Against scikit-learn: its rows of 0 and 1, whatever holds them, are the names."""
    binarizer = MultiLabelBinarizer(sparse_output=sparse)
    rows = binarizer.fit_transform(NAMES)
    expected = tlx.dataset_from(TEXTS, NAMES)
    table = rows.toarray() if sparse else rows
    forms = [rows, table.astype(bool), table.tolist(), table.astype(float), torch.from_numpy(table), list(table)]
    forms.append(pandas.DataFrame(table, columns=binarizer.classes_))
    assert all(tlx.dataset_from(TEXTS, form) == expected for form in forms)
    assert kept(expected).values["label"] == [tuple(one) for one in NAMES]


@pytest.mark.parametrize("unknown", [np.nan, -1, None])
def test_unknown_indicators_and_classes_without_examples_stay(unknown: Any) -> None:
    frame: Any = pandas.DataFrame({"cat": [1, 0, 1], "dog": [0, unknown, 1], "emu": [0, 0, 0]}, dtype=object)
    data = tlx.dataset_from(TEXTS, frame)
    expected: list[list[bool | None]] = [[True, False, False], [False, None, False], [True, True, False]]
    assert kept(data).values["label"] == [dict(zip(["cat", "dog", "emu"], row, strict=True)) for row in expected]
    assert "labels: cat, dog, emu" in repr(data)
    source = load(Objects(name=data["name"], content=data["content"], modality=data["modality"]))
    column, encoded, faults = Labels("label").encode(source.rows["label"], np.arange(3))
    assert (column.classes, faults) == (("cat", "dog", "emu"), {})
    np.testing.assert_array_equal(encoded, [[1, 0, 0], [0, np.nan, 0], [1, 1, 0]])


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.array([[3], [5], [1]]), "labels.ravel()"),
        ([[0], [1], [1]], "labels.ravel()"),
        ([[3, 5], [1, 2], [5, 0]], "give lists of names"),
        (np.array([[0.5, 1], [1, 0], [0, 2]]), "numbers to be predicted are columns of a table"),
        ([[1, -1], [-1, 1], [1, 1]], "NaN for the other"),
        ([[0, 1, 1], [0], [1]], "are these names, or indicators?"),
        ([[True], [False, True], []], "are these names, or indicators?"),
        ([["a", None], ["b"], ["c"]], "a name that is empty"),
        ([{"a": 2}, {"a": 1}, {"a": 0}], "expected 0, 1 or unknown"),
        (pandas.DataFrame({"a": [0, 1, 1]}), "give the column itself"),
        (["a", "\ud800", "b"], "objects[1].label"),
        ([["a"], ["\ud800"], ["b"]], "objects[1].label"),
    ],
)
def test_labels_that_may_be_either_are_refused(labels: Any, told: str) -> None:
    with pytest.raises(RequestError) as error:
        tlx.dataset_from(TEXTS, labels)
    assert told in str(error.value)


def test_text_that_is_no_unicode_is_named() -> None:
    with pytest.raises(DataError, match=r"objects\[1\]\.text"):
        tlx.dataset_from(["fine", "\ud800 half"], [0, 1])
    with pytest.raises(ConfigError, match="Unicode"):
        tlx.dataset_from({"\ud800": [1, 2], "label": [0, 1]})


def test_tensors_are_the_arrays_that_they_are() -> None:
    numbers = [i % 3 for i in range(60)]
    expected = tlx.dataset_from(IMAGES, numbers)
    for labels in (
        torch.tensor(numbers),
        list(torch.tensor(numbers)),
        list(np.array(numbers)),
        np.array(numbers, "f4"),
    ):
        assert tlx.dataset_from(torch.from_numpy(IMAGES), labels) == expected
    rates = torch.linspace(0, 1, 60, requires_grad=True)
    assert tlx.dataset_from(IMAGES, rates) == tlx.dataset_from(IMAGES, rates.detach().numpy())
