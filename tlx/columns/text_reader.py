"""Texts as the ids of their tokens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tlx.columns.input_spec import TextSpec
from tlx.columns.reading import Item, Reading


class Tokenised:
    """Texts as the ids of their tokens, made once."""

    is_ready = True
    is_light = True

    def __init__(self, texts: Sequence[str], spec: TextSpec) -> None:
        self.spec = spec
        self.tokens = tokenised(texts, spec)

    def take(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """Ids padded to the longest of them, and a mask."""
        return padded([self.tokens[at] for _, at in items], self.spec.pad_id)

    def facts(self) -> Mapping[str, Any]:
        """The tokens themselves."""
        found = hashlib.sha256(json.dumps(self.tokens).encode()).hexdigest()[:32]
        return {"tokens": found, "padding": self.spec.pad_id}


def tokenised(texts: Sequence[str], spec: TextSpec) -> list[list[int]]:
    """Ids of the tokens of each text."""
    encoded = spec.tokenizer(list(texts), truncation=True, max_length=spec.max_length, padding=False)
    ids: list[list[int]] = encoded["input_ids"]
    return ids


def padded(tokens: Sequence[Sequence[int]], pad_id: int) -> dict[str, Tensor]:
    """``input_ids`` and ``attention_mask`` [texts, tokens of the longest]."""
    ids = [torch.tensor(one) for one in tokens]
    whole = nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad_id)
    lengths = torch.tensor([len(one) for one in ids])
    mask = (torch.arange(whole.shape[1]) < lengths[:, None]).long()
    return {"input_ids": whole, "attention_mask": mask}


def spec_of(reading: Reading) -> TextSpec:
    if not isinstance(reading.spec, TextSpec):
        raise TypeError(f"a text is read by a backbone that takes texts, not by {reading.spec!r}")
    return reading.spec
