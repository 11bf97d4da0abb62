"""The event log: appended, whole lines only, earlier attempts kept."""

from __future__ import annotations

from pathlib import Path

from tlx.tracking import event_log


def test_rows_come_back_in_order(folder: Path) -> None:
    book = event_log.EventLog(folder)
    book.begin(name="a")
    book.write("metrics", step=1, epoch=0.5, values={"val/acc": 0.25, "val/auroc": None})
    rows = list(event_log.read(folder))
    assert [row["event"] for row in rows] == ["start", "metrics"]
    assert event_log.metrics(folder)[0]["values"] == {"val/acc": 0.25, "val/auroc": None}


def test_a_torn_last_line_is_left_out(folder: Path) -> None:
    event_log.EventLog(folder).begin(name="a")
    with (folder / event_log.FILE).open("a") as stream:
        stream.write('{"event": "metrics", "st')
    assert [row["event"] for row in event_log.read(folder)] == ["start"]


def test_what_follows_a_torn_line_is_whole(folder: Path) -> None:
    with (folder / event_log.FILE).open("w") as stream:
        stream.write('{"event": "metrics", "st')
    event_log.EventLog(folder).write("end", status="FAILED", reason="")
    assert [row["event"] for row in event_log.read(folder)] == ["end"]


def test_attempts_are_kept_apart(folder: Path) -> None:
    for name in ("first", "second", "third"):
        event_log.set_aside(folder)
        event_log.EventLog(folder).begin(name=name)
    names = [path.read_text() for path in sorted(folder.glob("events.*jsonl"))]
    assert ["first" in names[0], "second" in names[1], "third" in names[2]] == [True] * 3


def test_no_folder_writes_nothing(folder: Path) -> None:
    event_log.EventLog(None).begin(name="a")
    assert list(folder.iterdir()) == []
