"""The embedded data sets: digits, glyphs and docstrings, the same on every machine without a download."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.data.conftest import channels, classes, inputs, labels, load, words
from tlx.config.dataset import Digits, Docstrings, Glyphs
from tlx.data.source import Source

SMALL: dict[str, Any] = {"n_train": 40, "n_val": 10, "n_test": 12}


@pytest.fixture(scope="module")
def texts() -> Source:
    """The docstrings of this Python."""
    return load(Docstrings())


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
    source = load(Digits())
    assert {name: len(indices) for name, indices in source.splits.items()} == {"train": 700, "val": 200, "test": 897}
    assert sorted(i for indices in source.splits.values() for i in indices) == list(range(1797))
    assert classes(source) == list("0123456789")
    for indices in source.splits.values():
        shares = np.bincount(labels(source)[indices], minlength=10) / len(indices)
        np.testing.assert_allclose(shares, np.bincount(labels(source)) / 1797, atol=1 / len(indices))


def test_digits_are_the_images_of_scikit_learn() -> None:
    source, bunch = load(Digits()), load_digits()
    np.testing.assert_array_equal(labels(source), bunch.target)
    np.testing.assert_allclose(np.asarray(inputs(source)) / 255 * 16, bunch.images, atol=16 / 255 / 2 + 1e-9)
    assert channels(source) == 1
    assert np.asarray(inputs(source)).dtype == np.uint8


def test_digits_stay_where_they_are() -> None:
    first, again, other = (load(Digits(split_seed=seed)) for seed in (0, 0, 1))
    assert all(list(first.splits[name]) == list(again.splits[name]) for name in first.splits)
    assert list(first.splits["test"]) != list(other.splits["test"])


def test_glyphs_are_drawn_the_same_twice(cache: Path) -> None:
    first = load(Glyphs(**SMALL))
    rendered(cache).unlink()
    again = load(Glyphs(**SMALL))
    np.testing.assert_array_equal(inputs(first), inputs(again))
    np.testing.assert_array_equal(labels(first), labels(again))


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(("characters", "count"), [("letters", 52), ("digits", 10), ("both", 62)])
def test_glyphs_have_sizes_labels_and_ink(characters: str, count: int) -> None:
    source = load(Glyphs(characters=characters, **SMALL))
    images = np.asarray(inputs(source))
    assert images.shape == (62, 32, 32)
    assert images.dtype == np.uint8
    assert {name: len(indices) for name, indices in source.splits.items()} == {"train": 40, "val": 10, "test": 12}
    assert sorted(i for indices in source.splits.values() for i in indices) == list(range(62))
    assert len(classes(source)) == len(set(classes(source))) == count
    assert 0 <= labels(source).min() <= labels(source).max() < count
    assert len(set(labels(source).tolist())) > 5
    assert (images.reshape(62, -1).max(axis=1) > 100).all()
    assert len(np.unique(images, axis=0)) == 62


@pytest.mark.usefixtures("cache")
def test_glyphs_of_one_split_do_not_depend_on_the_others() -> None:
    few, many = load(Glyphs(**SMALL)), load(Glyphs(n_train=5, n_val=10, n_test=12))
    for name in ("val", "test"):
        np.testing.assert_array_equal(
            np.asarray(inputs(few))[few.splits[name]], np.asarray(inputs(many))[many.splits[name]]
        )


@pytest.mark.usefixtures("cache")
def test_glyphs_of_another_seed_are_others() -> None:
    first, other = (np.asarray(inputs(load(Glyphs(render_seed=seed, **SMALL)))) for seed in (0, 1))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_glyphs_are_rendered_once(cache: Path) -> None:
    kept = labels(load(Glyphs(**SMALL)))
    np.savez(rendered(cache), images=np.zeros((62, 32, 32), np.uint8), labels=kept)
    assert not np.asarray(inputs(load(Glyphs(**SMALL)))).any()


def test_docstrings_are_texts_of_several_packages(texts: Source) -> None:
    assert len(inputs(texts)) > 1000
    assert len(classes(texts)) >= 8
    assert all(len(str(text).strip()) > 10 for text in inputs(texts))
    assert np.bincount(labels(texts), minlength=len(classes(texts))).min() >= 20
    assert all(re.fullmatch(r"\w+\.py:\d+", texts.origin(i)) for i in range(len(inputs(texts))))


def test_docstrings_do_not_name_their_package(texts: Source) -> None:
    told = [
        i for i, (text, name) in enumerate(zip(inputs(texts), words(texts), strict=True)) if name in str(text).lower()
    ]
    assert told == []


def test_docstrings_are_the_same_twice(texts: Source) -> None:
    again = load(Docstrings())
    assert list(inputs(again)) == list(inputs(texts))
    assert list(labels(again)) == list(labels(texts))
