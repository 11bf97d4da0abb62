"""A sealed object is what was written, or nothing."""

from __future__ import annotations

import json

import pytest

from tlx.files.checksum import with_checksum, without_checksum

ROW = {"event": "metrics", "step": 3, "values": {"val/acc": 0.25, "sum": "1", "name": 'a "}\n é'}}


@pytest.mark.parametrize("indent", [None, 1, 2])
def test_there_and_back(indent: int | None) -> None:
    text = with_checksum(json.dumps(ROW, indent=indent))
    assert without_checksum(text) == ROW
    assert json.loads(text).keys() == {*ROW, "sum"}  # it is JSON for everybody else


def test_every_flipped_bit_and_every_cut_is_seen() -> None:
    text = with_checksum(json.dumps(ROW)).encode()
    for place in range(len(text)):
        for bit in range(8):
            other = bytearray(text)
            other[place] ^= 1 << bit
            assert without_checksum(other.decode(errors="replace")) is None, (place, bit)
        assert without_checksum(text[:place].decode(errors="replace")) is None


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"event": "end"}', '{"a": 1, "sum": "00000000"}', '[1, "sum": ""}']
)
def test_what_was_never_sealed(text: str) -> None:
    assert without_checksum(text) is None
