"""Selectors are sets: lists unite, ``freeze`` subtracts, shares cover; in random cases, against names read by hand."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.strategies.architectures import EVERYWHERE, KNOWN, VIT, Architecture
from tests.strategies.conftest import Cut, of
from tlx.config.errors import ConfigError
from tlx.strategies.selectors import matching, select

Predicate = Callable[[str], bool]


def drawn(draw: random.Random, known: Architecture) -> tuple[str, Predicate]:
    """A random selector, and the same written as a question about a parameter's name."""
    size = known.size
    low, high = draw.randrange(-size, size), draw.randrange(-size, size)
    inside = range(size)[low:high] or range(size)
    text = f"stages[{low}:{high}]" if range(size)[low:high] else "stages[:]"
    one, word = draw.randrange(-size, size), draw.choice(("weight", "ias", "1", r"\.0\."))
    return draw.choice([
        ("head", lambda name: known.depth(name) == size),
        ("backbone", lambda name: known.depth(name) < size),
        ("stem", lambda name: known.depth(name) == 0),
        ("all", lambda name: True),
        ("norm", known.is_norm),
        ("bias", lambda name: name.endswith(".bias")),
        (text, lambda name: known.depth(name) in inside),
        (f"stages[{one}]", lambda name: known.depth(name) == one % size),
        (f"re:{word}", lambda name: re.search(word, name) is not None),
    ])  # fmt: skip


@EVERYWHERE
def test_a_list_is_a_union_less_what_freeze_names(cut: Cut, name: str) -> None:
    known, network = KNOWN[name], cut(name)
    draw = random.Random(0)
    for _ in range(150):
        train = [drawn(draw, known) for _ in range(draw.randint(1, 4))]
        freeze = [drawn(draw, known) for _ in range(draw.randint(0, 2))]
        words = [text for text, _ in train], [text for text, _ in freeze]
        expected = {
            parameter
            for parameter in of(network)
            if any(asks(parameter) for _, asks in train) and not any(asks(parameter) for _, asks in freeze)
        }
        if expected:
            assert select(*words, network, "phase") == expected, words
        else:
            with pytest.raises(ConfigError, match="nothing is left to train"):
                select(*words, network, "phase")


@EVERYWHERE
def test_order_and_repetition_do_not_matter(cut: Cut, name: str) -> None:
    known, network = KNOWN[name], cut(name)
    draw = random.Random(1)
    for _ in range(30):
        words = [drawn(draw, known)[0] for _ in range(3)]
        shuffled = draw.sample(words, 3) + words[:1]
        assert select(words, [], network, "phase") == select(shuffled, [], network, "phase")


@EVERYWHERE
@pytest.mark.parametrize("percent", range(20, 100, 10))
def test_two_shares_cover_the_backbone_and_do_not_overlap(cut: Cut, name: str, percent: int) -> None:
    known, network = KNOWN[name], cut(name)
    low = matching(f"stages[:{percent}%]", network, "key")
    high = matching(f"stages[{percent}%:]", network, "key")
    assert low | high == of(network[:-1])
    assert not low & high
    assert abs(len({known.depth(parameter) for parameter in low}) - known.size * percent / 100) <= 0.5


def test_shares_between_two_borders_cover_too(cut: Cut) -> None:
    network = cut(VIT)
    borders = [0, 15, 40, 77, 100]
    parts = [matching(f"stages[{a}%:{b}%]", network, "key") for a, b in pairwise(borders)]
    assert frozenset().union(*parts) == of(network[:-1])
    assert sum(len(part) for part in parts) == len(of(network[:-1]))
