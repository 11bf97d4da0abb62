"""Texts become tokens and a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.columns.strategies import chosen, look
from tlx.columns import Reading, Text
from tlx.columns.input_spec import TextSpec


def letters(texts: Sequence[str], truncation: bool, max_length: int, padding: bool) -> dict[str, list[list[int]]]:
    """A tokenizer whose tokens are letters."""
    assert truncation
    assert not padding
    return {"input_ids": [[ord(letter) % 100 + 1 for letter in text][:max_length] for text in texts]}


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=10), st.integers(1, 9), st.data())
def test_texts_become_tokens_and_a_mask(texts: list[str], most: int, data: st.DataObject) -> None:
    reading = Reading(TextSpec(letters, most, pad_id=7))
    column, encoded, problems = Text("text").encode(texts, np.arange(len(texts)))
    assert (column, list(encoded), problems) == (Text("text"), texts, {})
    indices = chosen(data, len(texts))
    positions = data.draw(st.lists(st.integers(0, len(indices) - 1), min_size=1, max_size=8))
    found = column.reader(encoded, indices, reading).take([(0, at) for at in positions])
    tokens = [[ord(letter) % 100 + 1 for letter in texts[indices[at]]][:most] for at in positions]
    longest = max(map(len, tokens))
    assert found["input_ids"].tolist() == [one + [7] * (longest - len(one)) for one in tokens]
    assert found["attention_mask"].tolist() == [[1] * len(one) + [0] * (longest - len(one)) for one in tokens]
    again = column.collate([column.prepare(texts[indices[at]], reading) for at in positions], reading)
    assert all(torch.equal(again[name], found[name]) for name in found)


@given(st.lists(st.text(alphabet=" \t\nx\u3000", max_size=3), min_size=1, max_size=10))
def test_blank_texts_are_told(texts: list[str]) -> None:
    wrong = Text("text").problems(texts, np.arange(len(texts)), look())
    assert wrong == {i: "empty text" for i, text in enumerate(texts) if not text.strip()}
