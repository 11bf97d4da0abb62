"""A checksum at the end of a JSON object, so that a torn or altered one is not taken for what was written."""

from __future__ import annotations

import re
import zlib
from typing import Any

from tlx.files import foreign

_END = re.compile(r',\s*"sum": "([0-9a-f]{8})"\s*\}\s*\Z')


def with_checksum(text: str) -> str:
    """A JSON object with ``sum``, the CRC-32 of what stands before it, as its last entry."""
    body = text.rstrip()[:-1].rstrip()
    gap = ",\n  " if "\n" in body else ", "
    return f'{body}{gap}"sum": "{_sum(body)}"' + ("\n}\n" if "\n" in body else "}")


def without_checksum(text: str) -> dict[str, Any] | None:
    """The object of a sealed text, without its ``sum``; None if it is not what was written."""
    found = _END.search(text)
    if found is None or _sum(text[: found.start()]) != found[1]:
        return None
    try:
        row = foreign.json_value(text)
    except foreign.Unreadable:
        return None
    if not isinstance(row, dict):
        return None
    del row["sum"]
    return row


def _sum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
