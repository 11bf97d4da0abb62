"""What tlx takes for granted of a data set: tried on what it loads, and on a trial of a few steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from tlx.columns.reading import META
from tlx.components.parts import parts_without
from tlx.components.registry import component
from tlx.config.dataset import Dataset
from tlx.data.fingerprint import fingerprint
from tlx.data.module import Data, read
from tlx.data.source import Source
from tlx.testing.trials import check_resume, composed, options_of, own_cache, trained

_READERS = {"image": "narrow_resnet", "text": "narrow_bert", "number": "narrow_mlp", "category": "narrow_mlp"}
_SEEN = 64  # values that are read twice


def check_dataset(kind: str, options: Mapping[str, Any] | None = None, trial: Sequence[str] = ()) -> None:
    """Load a registered data set, and see that it keeps the contract.

    Its fingerprint is the same when asked twice; loaded twice it has the same columns, values and splits, and draws
    from nobody's random numbers; splits are disjoint and name examples that are there; every value can be read, and is
    the same when read again; columns can be written as JSON; a trial on it trains, and where it says that it is
    resumable, one that is interrupted ends as one that is not.

    Args:
        kind: The name it is registered under.
        options: Its options, where they are not to be the defaults.
        trial: Further words of the trial, such as ``backbone=...``; without it one that reads its first input.

    Raises:
        AssertionError: It does not; the message says what was seen.
        LookupError: There is no such data set.
    """
    settings = options_of("dataset", kind, options)
    words = [f"dataset={kind}", *trial]
    with own_cache():
        config = component("dataset", kind).config(**(options or {}))
        first, again = _loaded(kind, config), _loaded(kind, config)
        _check_same(kind, first, again)
        _check_splits(kind, first)
        _check_values(kind, first, config)
        if not any(word.startswith("backbone=") for word in trial):
            words.append(f"backbone={_READERS[_first_input(kind, first)]}")
        with trained(words, settings):
            pass
        if not parts_without(composed(words, "nowhere", settings), "resumable"):
            check_resume(kind, words, settings)


def _loaded(kind: str, config: Dataset) -> Source:
    before = torch.get_rng_state(), _numpy_state()
    prints = fingerprint(config), fingerprint(config)
    assert prints[0] == prints[1], f"{kind}: its fingerprint is another each time"
    assert isinstance(prints[0], str), f"{kind}: expected a fingerprint of text, found {prints[0]!r}"
    source = component("dataset", kind).function()(config)
    assert isinstance(source, Source), f"{kind} loads a {type(source).__name__}, which is no Source"
    encoded = read(config)
    assert torch.equal(torch.get_rng_state(), before[0]), f"{kind} draws from torch's random numbers"
    assert _numpy_state() == before[1], f"{kind} draws from numpy's shared random numbers"
    return encoded


def _numpy_state() -> str:
    _, keys, *rest = np.random.get_state()
    return f"{bytes(memoryview(keys)).hex()} {rest}"  # type: ignore[arg-type]


def _check_same(kind: str, one: Source, other: Source) -> None:
    assert list(one.columns) == list(other.columns), f"{kind}: loaded twice, its columns differ"
    for name in one.rows:
        same = len(one.rows[name]) == len(other.rows[name]) and all(
            _equal(a, b) for a, b in zip(one.rows[name], other.rows[name], strict=True)
        )
        assert same, f"{kind}: loaded twice, the values of {name!r} differ"
    assert one.splits.keys() == other.splits.keys(), f"{kind}: loaded twice, its splits differ"


def _check_splits(kind: str, source: Source) -> None:
    assert len(source), f"{kind} has no examples"
    assert any(column.role == "target" for column in source.columns), f"{kind} has no target"
    assert any(column.role == "input" for column in source.columns), f"{kind} has no input"
    every = [int(i) for indices in source.splits.values() for i in indices]
    assert len(set(every)) == len(every), f"{kind}: an example is in two splits, or in one of them twice"
    assert all(0 <= i < len(source) for i in every), f"{kind}: a split names an example that is not there"
    assert isinstance(source.origin(0), str), f"{kind}: origin gives no text"
    for column in source.columns:
        json.dumps(column.settings())


def _check_values(kind: str, source: Source, config: Dataset) -> None:
    data = Data(config, seed=0, batch_size=8)  # every value is looked at, and refused with its reason
    for column in data.source.columns:
        if column.role in META:
            continue
        values = data.source.rows[column.name]
        for i in range(min(_SEEN, len(values))):
            once, twice = column.read(values[i]), column.read(values[i])
            assert _equal(once, twice), f"{kind}: {column.name!r} of {source.origin(i)} is another each time"


def _first_input(kind: str, source: Source) -> str:
    kinds = [column.kind for column in source.columns if column.role == "input" and column.kind in _READERS]
    assert kinds, f"{kind} has no input that a backbone of tlx reads; name one: trial=['backbone=...']"
    return kinds[0]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, (np.ndarray, float, np.floating)):
        return bool(np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind == "f"))
    if hasattr(one, "tobytes"):  # an image of PIL's
        return bool(one.tobytes() == other.tobytes())
    return bool(one == other)
