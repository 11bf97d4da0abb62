"""Users' regular expressions find what Python's own would, and end whatever they are."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tlx.config import patterns

NAMES = ("", "a", "ab", "aab", "blocks.0.attn.qkv.weight", "blocks.11.norm1.bias", "head.weight", "a{1}", "[:a:]", "É")
PARTS = ["a", "b", r"\.", r"\d", r"\w", ".", "[ab]", "[^a.]", "[[:a:]]", "{", "{e<=1}", "{1}", "^", "$", r"\b", "head"]
grammar = some.recursive(
    some.sampled_from(PARTS),
    lambda inner: some.one_of(
        some.tuples(inner, inner).map("".join),
        some.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        some.tuples(inner, some.sampled_from(["*", "+", "?", "{2}", "{,2}", "{1,}", "*?"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"(?={one})"),
        inner.map(lambda one: f"(?i:{one})"),
    ),
    max_leaves=6,
)


@given(some.one_of(grammar, some.text(max_size=8)), some.lists(some.sampled_from(NAMES), max_size=5))
@settings(max_examples=max(1, settings().max_examples // 4))
def test_they_find_what_python_finds(pattern: str, names: list[str]) -> None:
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError):
        with pytest.raises(patterns.Refused, match="not a regular expression"):
            patterns.found(pattern, names)
        return
    assert patterns.found(pattern, names) == [name for name in names if compiled.search(name)]


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+$",
        "(a*)*b",
        "a?" * 60 + "a" * 30 + "c",
        "(?:.*a)" * 20 + "c",
        r"(a*)*\1c",
        "(?=(a+)+$)a",
        "(?:(a{1,99}){1,99}){1,99}c",
    ],
)
def test_one_that_would_search_for_ever_ends(pattern: str) -> None:
    begun = time.process_time()
    with pytest.raises(patterns.Refused, match="takes more than"):
        patterns.found(pattern, ["a" * 29, "a" * 40 + "!"])
    assert time.process_time() - begun < 1  # the searching is another process's


@pytest.mark.parametrize("pattern", ["(" * 2000, "(" * 400, "a{99999999999}", "a{2,1}", "[b-a]", "(?P<x>", "\\"])
def test_one_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(patterns.Refused):
        patterns.check(pattern)


@pytest.mark.parametrize("pattern", ["(((((a{9999}){9999}){9999}){9999}){9999})", "(?:(a{1000}){1000}){1000}"])
def test_one_with_many_repetitions_takes_no_memory(pattern: str) -> None:
    assert patterns.found(pattern, ["aaa"]) == []
