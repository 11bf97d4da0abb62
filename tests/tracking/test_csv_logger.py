"""``metrics.csv`` has every row of the event log, as other readers read it."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.tracking.rows import VALUES, begin, opened, write
from tlx.config import loggers
from tlx.files import durable
from tlx.tracking import event_log
from tlx.tracking.loggers.csv import FILE, CsvLogger

COLUMNS = ["step", "epoch", "finetune/phase", "train/loss", "val/acc", "grad_norm/head", "test/acc"]


def logger() -> CsvLogger:
    return CsvLogger(loggers.Csv())


def read(place: Path) -> list[dict[str, str]]:
    """The file, as the standard library reads it."""
    with (place / FILE).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def same_as_log(place: Path) -> None:
    """Every row of the event log, in order, each number to its bits."""
    found, expected = read(place), event_log.metrics(place)
    assert [(int(row["step"]), float(row["epoch"])) for row in found] == [
        (row["step"], row["epoch"]) for row in expected
    ]
    for mine, wanted in zip(found, expected, strict=True):
        numbers = {name: value for name, value in wanted["values"].items() if value is not None}
        cells = {name: float(cell) for name, cell in mine.items() if cell != "" and name not in ("step", "epoch")}
        assert cells.keys() == numbers.keys()
        assert all(
            cells[name] == value or (math.isnan(cells[name]) and math.isnan(value)) for name, value in numbers.items()
        )


def test_it_has_a_column_for_each_metric(folder: Path) -> None:
    place = folder / "a"
    events = opened(place, csv=logger())
    begin(events)
    assert (place / FILE).read_bytes() == b"step,epoch\r\n"
    for i in range(len(VALUES)):
        write(events, VALUES[i : i + 1])
        same_as_log(place)  # at any time
    events.write("end", status="FINISHED", reason="")
    same_as_log(place)
    assert list(read(place)[0]) == COLUMNS
    table = pandas.read_csv(place / FILE)
    assert list(table.columns) == COLUMNS
    assert table["train/loss"].tolist()[1] == 0.1 + 0.2
    assert table["step"].tolist() == [0, 2, 2, 4, 4]
    assert sorted(path.name for path in place.iterdir()) == ["events.jsonl", FILE]


def test_a_trial_that_goes_on_has_no_row_twice(folder: Path) -> None:
    place = folder / "a"
    events = opened(place, csv=logger())
    begin(events)
    write(events, VALUES[:3])  # and the process is killed
    with (place / FILE).open("a") as stream:
        stream.write("4,1.0,1")  # in the middle of a line
    events = opened(place, csv=logger())
    events.write("resume", step=2)
    same_as_log(place)
    write(events, VALUES[3:])
    events.write("end", status="FINISHED", reason="")
    same_as_log(place)
    assert len(read(place)) == len(VALUES)


def test_an_attempt_that_is_begun_anew_has_its_own_rows_alone(folder: Path) -> None:
    place = folder / "a"
    events = opened(place, csv=logger())
    begin(events)
    write(events, VALUES)
    event_log.set_aside(place)
    events = opened(place, csv=logger())
    begin(events)
    write(events, VALUES[:1])
    same_as_log(place)
    assert len(read(place)) == 1


def test_nothing_is_written_through_a_link(folder: Path) -> None:
    place = folder / "a"
    place.mkdir()
    (folder / "precious").write_text("mine")
    (place / FILE).symlink_to(folder / "precious")
    events = opened(place, csv=logger())
    begin(events)
    write(events, VALUES)
    assert (folder / "precious").read_text() == "mine"
    assert not (place / FILE).is_symlink()
    same_as_log(place)


def test_a_full_disk_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder / "a"
    events = opened(place, csv=logger())
    begin(events)
    write(events, VALUES[:2])
    before = (place / FILE).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "replacing", full)
        write(events, VALUES[2:])
    assert (place / FILE).read_bytes() == before
    events = opened(place, csv=logger())
    events.write("end", status="FINISHED", reason="")
    same_as_log(place)


def test_rows_are_on_the_disk_before_what_follows_from_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder / "a"
    events = opened(place, csv=logger())
    begin(events)
    write(events, VALUES)
    synced: list[str] = []
    whole = os.fsync

    def watched(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}") if Path("/proc/self/fd").is_dir() else FILE)
        whole(handle)

    monkeypatch.setattr(os, "fsync", watched)
    events.sync()
    assert any(name.endswith(FILE) for name in synced)


names = some.text(some.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=8)
tables = some.lists(some.dictionaries(names, some.none() | some.floats(), max_size=4), max_size=6)


@given(values=tables)
def test_any_names_and_numbers(tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, float | None]]) -> None:
    place = tmp_path_factory.mktemp("some")
    values = [{f"m/{name}": value for name, value in row.items()} for row in values]
    events = opened(place, csv=logger())
    begin(events)
    write(events, list(enumerate(values)))
    same_as_log(place)
    events.write("end", status="FINISHED", reason="")
    same_as_log(place)
