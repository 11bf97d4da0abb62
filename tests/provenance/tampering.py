"""Ways to alter what a finished trial left, as accidents do and as people do who know how a file is sealed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from tlx.feature_cache.entry import BLOCK, HEADER, META, read_meta, write_meta
from tlx.files.checksum import with_checksum, without_checksum
from tlx.runs import layout
from tlx.runs import result as results
from tlx.tracking import event_log

Edit = Callable[[dict[str, Any]], Any]


def reseal(path: Path, edit: Edit) -> None:
    """Edit a sealed JSON file, and seal it anew."""
    row = without_checksum(path.read_text())
    assert row is not None
    edit(row)
    path.write_text(with_checksum(json.dumps(row, indent=1)))


def promise(run: Path) -> None:
    """Let a result name the files of its folder as they are now."""
    reseal(run / layout.RESULT, lambda row: row.update(files=results.promised_files(run)))


def replace_text(path: Path, old: str, new: str) -> None:
    """Edit a text of the same length by hand: no checksum is made anew."""
    text = path.read_text()
    assert old in text
    assert len(old) == len(new)
    path.write_text(text.replace(old, new, 1))


def edit_rows(run: Path, event: str, edit: Edit) -> None:
    """Edit every row of an event in an event log, and seal each anew."""
    lines = (run / event_log.FILE).read_text().splitlines()
    for number, line in enumerate(lines):
        row = without_checksum(line)
        if row is not None and row["event"] == event:
            edit(row)
            lines[number] = with_checksum(json.dumps(row))
    (run / event_log.FILE).write_text("".join(f"{line}\n" for line in lines))


def drop_rows(run: Path, first: int, last: int) -> None:
    """Remove lines of an event log, counted among the rows of metrics."""
    lines = (run / event_log.FILE).read_text().splitlines(keepends=True)
    rows = [number for number, line in enumerate(lines) if line.startswith('{"event": "metrics"')]
    gone = set(rows[first:last])
    (run / event_log.FILE).write_text("".join(line for number, line in enumerate(lines) if number not in gone))


def flip_bit(path: Path, at: int) -> None:
    """Change one bit of a file, counted from its end where ``at`` is negative; time of change and size stay."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def poison(store: Path) -> int:
    """Change the later examples of every entry of a feature cache, with its checksums; how many entries there are."""
    entries = [path.parent for path in store.glob(f"*/{META}")]
    for entry in entries:
        meta = read_meta(entry)
        for part in meta.parts:
            for file in part["files"]:
                path = entry / file["name"]
                values = np.load(path)
                values[len(values) // 2 :] = values[len(values) // 2 :][::-1] * 3
                content = values.tobytes()
                path.write_bytes(path.read_bytes()[:HEADER] + content)
                blocks = range(0, len(content), BLOCK)
                file["sums"] = [xxhash.xxh3_64_hexdigest(content[at : at + BLOCK]) for at in blocks]
        write_meta(entry, meta)
    return len(entries)
