"""Whatever stands in an event log: what was written is read, the rest is left out, and nobody trips over it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from tlx.files.checksum import with_checksum
from tlx.orchestration import status
from tlx.runs.result import result_in
from tlx.tracking import event_log

values = some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=8)),
    lambda inner: some.one_of(
        some.lists(inner, max_size=3), some.dictionaries(some.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
rows = some.builds(
    lambda event, fields: {"event": event, **fields},
    some.one_of(some.sampled_from(["start", "metrics", "end", "trials", "child", "resume", "phase"]), values),
    some.dictionaries(
        some.sampled_from(
            ["time", "step", "epoch", "values", "status", "reason", "folders", "folder", "attempt", "tags"]
        ),
        values,
        max_size=6,
    ),
)


def read(folder: Path) -> list[dict[str, Any]]:
    """By everybody who reads event logs."""
    found = list(event_log.read(folder))
    assert all(isinstance(row["event"], str) for row in found)
    event_log.damaged(folder)
    event_log.first_difference(event_log.metrics(folder), event_log.metrics(folder))
    for name in event_log.members(folder):
        assert (folder.parent / name).resolve().parent == folder.parent.resolve()
    status.standing(folder)
    status.summary(folder)
    return found


@given(some.lists(some.one_of(some.binary(max_size=60), rows), max_size=5))
def test_any_lines(folder: Path, lines: list[Any]) -> None:
    """Bytes, and objects that somebody sealed who can count as we do."""
    place = folder / "run"
    place.mkdir(exist_ok=True)
    texts = [line if isinstance(line, bytes) else with_checksum(json.dumps(line)).encode() for line in lines]
    (place / event_log.FILE).write_bytes(b"\n".join(texts))
    read(place)


@given(some.integers(0, 10_000), some.integers(1, 255), some.booleans())
def test_an_altered_event_log(folder: Path, where: int, bits: int, cut: bool) -> None:
    place = folder / "run"
    place.mkdir(exist_ok=True)
    (place / event_log.FILE).unlink(missing_ok=True)
    book = event_log.EventLog(place)
    book.begin(name="a", tags={"tlx.kind": "sweep"})
    book.write("trials", folders=["one", "two"])
    for step in range(5):
        book.write("metrics", step=step, epoch=step / 2, values={"val/acc": step / 10})
    book.write("end", status="FINISHED", reason="")
    whole = list(event_log.read(place))
    written = bytearray((place / event_log.FILE).read_bytes())
    where %= len(written)
    if cut:
        del written[where:]
    else:
        written[where] ^= bits
    (place / event_log.FILE).write_bytes(written)
    assert all(row in whole for row in read(place))


@given(some.one_of(some.binary(max_size=80), values.map(lambda value: json.dumps(value).encode()), rows.map(
    lambda row: with_checksum(json.dumps(row)).encode())))  # fmt: skip
def test_any_result(folder: Path, text: bytes) -> None:
    (folder / "result.json").write_bytes(text)
    assert result_in(folder) is None
