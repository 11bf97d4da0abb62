"""Limits come from options, then variables, then defaults; a typing error in either is refused."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tlx.config.errors import ConfigError
from tlx.serving import limits
from tlx.serving.limits import Limits


def test_options_win_over_variables_over_defaults() -> None:
    found = limits.settled({"rows": "3"}, {"TLX_SERVE_ROWS": "4", "TLX_SERVE_TOTAL_PIXELS": "5", "PATH": "/bin"})
    assert found == Limits(rows=3, total_pixels=5)


def test_each_has_an_option_a_variable_and_a_help() -> None:
    text = limits.described()
    for one in fields(Limits):
        assert f"{limits.option(one.name)} " in text
        assert f"{limits.variable(one.name)} " in text
        assert one.metadata[limits.HELP] in text


@pytest.mark.parametrize(
    ("chosen", "environment", "message"),
    [
        ({"rows": "0"}, {}, "--max-rows = 0 .*whole number"),
        ({}, {"TLX_SERVE_BYTES": "1e6"}, "TLX_SERVE_BYTES = 1e6 .*whole number"),
        ({}, {"TLX_SERVE_BYTES": "9" * 30}, "whole number"),
        ({}, {"TLX_SERVE_ROW": "3"}, "no such limit; there are .*TLX_SERVE_ROWS"),
    ],
)
def test_mistakes(chosen: dict[str, str], environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        limits.settled(chosen, environment)


@given(some.text(max_size=12))
def test_a_limit_is_a_number_or_refused(value: str) -> None:
    try:
        assert limits.settled({}, {"TLX_SERVE_DEPTH": value}).depth > 0
    except ConfigError:
        assert not (value.isascii() and value.isdigit() and int(value) > 0)
