"""The journal: appended, whole lines only, earlier attempts kept."""

from __future__ import annotations

from pathlib import Path

from tlx.tracking import journal


def test_rows_come_back_in_order(folder: Path) -> None:
    book = journal.Journal(folder)
    book.begin(name="a")
    book.write("metrics", step=1, epoch=0.5, values={"val/acc": 0.25, "val/auroc": None})
    rows = list(journal.read(folder))
    assert [row["event"] for row in rows] == ["start", "metrics"]
    assert journal.metrics(folder)[0]["values"] == {"val/acc": 0.25, "val/auroc": None}


def test_a_torn_last_line_is_left_out(folder: Path) -> None:
    journal.Journal(folder).begin(name="a")
    with (folder / journal.FILE).open("a") as stream:
        stream.write('{"event": "metrics", "st')
    assert [row["event"] for row in journal.read(folder)] == ["start"]


def test_what_follows_a_torn_line_is_whole(folder: Path) -> None:
    with (folder / journal.FILE).open("w") as stream:
        stream.write('{"event": "metrics", "st')
    journal.Journal(folder).write("end", status="FAILED", reason="")
    assert [row["event"] for row in journal.read(folder)] == ["end"]


def test_attempts_are_kept_apart(folder: Path) -> None:
    for name in ("first", "second", "third"):
        journal.set_aside(folder)
        journal.Journal(folder).begin(name=name)
    names = [path.read_text() for path in sorted(folder.glob("journal.*jsonl"))]
    assert ["first" in names[0], "second" in names[1], "third" in names[2]] == [True] * 3


def test_no_folder_writes_nothing(folder: Path) -> None:
    journal.Journal(None).begin(name="a")
    assert list(folder.iterdir()) == []
