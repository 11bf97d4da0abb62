"""The embedded data sets: digits, glyphs and docstrings, the same on every machine without a download."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tlx.config.dataset import Digits, Docstrings, Glyphs
from tlx.data.source import Source
from tlx.data.sources import digits, docstrings, glyphs

SMALL: dict[str, Any] = {"n_train": 40, "n_val": 10, "n_test": 12}


@pytest.fixture(scope="module")
def texts() -> Source:
    """The docstrings of this Python."""
    return docstrings.load(Docstrings())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for rendered images."""
    monkeypatch.setenv("TLX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def rendered(cache: Path) -> Path:
    """The one file of rendered images."""
    (file,) = cache.rglob("*.npz")
    return file


def test_digits_are_split_700_200_897() -> None:
    source = digits.load(Digits())
    assert {name: len(indices) for name, indices in source.splits.items()} == {"train": 700, "val": 200, "test": 897}
    assert sorted(i for indices in source.splits.values() for i in indices) == list(range(1797))
    assert source.classes == list("0123456789")
    for indices in source.splits.values():
        shares = np.bincount(source.labels[indices], minlength=10) / len(indices)
        np.testing.assert_allclose(shares, np.bincount(source.labels) / 1797, atol=1 / len(indices))


def test_digits_are_the_images_of_scikit_learn() -> None:
    source, bunch = digits.load(Digits()), load_digits()
    np.testing.assert_array_equal(source.labels, bunch.target)
    np.testing.assert_allclose(np.asarray(source.inputs) / 255 * 16, bunch.images, atol=16 / 255 / 2 + 1e-9)
    assert source.channels == 1
    assert np.asarray(source.inputs).dtype == np.uint8


def test_digits_stay_where_they_are() -> None:
    first, again, other = (digits.load(Digits(split_seed=seed)) for seed in (0, 0, 1))
    assert all(list(first.splits[name]) == list(again.splits[name]) for name in first.splits)
    assert list(first.splits["test"]) != list(other.splits["test"])


def test_glyphs_are_drawn_the_same_twice(cache: Path) -> None:
    first = glyphs.load(Glyphs(**SMALL))
    rendered(cache).unlink()
    again = glyphs.load(Glyphs(**SMALL))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.labels, again.labels)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(("characters", "count"), [("letters", 52), ("digits", 10), ("both", 62)])
def test_glyphs_have_sizes_labels_and_ink(characters: str, count: int) -> None:
    source = glyphs.load(Glyphs(characters=characters, **SMALL))
    images = np.asarray(source.inputs)
    assert images.shape == (62, 32, 32)
    assert images.dtype == np.uint8
    assert {name: len(indices) for name, indices in source.splits.items()} == {"train": 40, "val": 10, "test": 12}
    assert sorted(i for indices in source.splits.values() for i in indices) == list(range(62))
    assert len(source.classes) == len(set(source.classes)) == count
    assert 0 <= source.labels.min() <= source.labels.max() < count
    assert len(set(source.labels.tolist())) > 5
    assert (images.reshape(62, -1).max(axis=1) > 100).all()
    assert len(np.unique(images, axis=0)) == 62


@pytest.mark.usefixtures("cache")
def test_glyphs_of_one_split_do_not_depend_on_the_others() -> None:
    few, many = glyphs.load(Glyphs(**SMALL)), glyphs.load(Glyphs(n_train=5, n_val=10, n_test=12))
    for name in ("val", "test"):
        np.testing.assert_array_equal(
            np.asarray(few.inputs)[few.splits[name]], np.asarray(many.inputs)[many.splits[name]]
        )


@pytest.mark.usefixtures("cache")
def test_glyphs_of_another_seed_are_others() -> None:
    first, other = (np.asarray(glyphs.load(Glyphs(render_seed=seed, **SMALL)).inputs) for seed in (0, 1))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_glyphs_are_rendered_once(cache: Path) -> None:
    labels = glyphs.load(Glyphs(**SMALL)).labels
    np.savez(rendered(cache), images=np.zeros((62, 32, 32), np.uint8), labels=labels)
    assert not np.asarray(glyphs.load(Glyphs(**SMALL)).inputs).any()


def test_docstrings_are_texts_of_several_packages(texts: Source) -> None:
    assert len(texts.inputs) > 1000
    assert len(texts.classes) >= 8
    assert all(len(str(text).strip()) > 10 for text in texts.inputs)
    assert np.bincount(texts.labels, minlength=len(texts.classes)).min() >= 20
    assert all(re.fullmatch(r"\w+\.py:\d+", texts.origin(i)) for i in range(len(texts.inputs)))


def test_docstrings_do_not_name_their_package(texts: Source) -> None:
    told = [i for i, text in enumerate(texts.inputs) if texts.classes[texts.labels[i]] in str(text).lower()]
    assert told == []


def test_docstrings_are_the_same_twice(texts: Source) -> None:
    again = docstrings.load(Docstrings())
    assert list(again.inputs) == list(texts.inputs)
    assert list(again.labels) == list(texts.labels)
