"""Loggers are told of the event log, all of it and once, and cannot hurt training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.rows import VALUES, Recording, begin, numbers, opened, write
from tlx.tracking import event_log
from tlx.tracking.event_log import EventLog
from tlx.tracking.logger import Logger, MetricRow
from tlx.tracking.logger_feed import LoggerFeed


def rows(told: list[tuple[Any, ...]]) -> list[tuple[int, dict[str, str]]]:
    return [(one[1], numbers(one[2])) for one in told if one[0] == "row"]


EXPECTED = [(step, numbers(values)) for step, values in VALUES]


def test_a_logger_is_told_of_a_trial_from_its_beginning_to_its_end(folder: Path) -> None:
    logger = Recording()
    events = opened(folder / "a", mine=logger)
    assert logger.told == []
    begin(events)
    events.write("phase", number=1, name="all", start=0, rates={})
    write(events, VALUES)
    events.sync()
    events.write("end", status="FINISHED", reason="")
    attempt = event_log.attempt(folder / "a")
    assert logger.told[0] == ("open", attempt)
    assert rows(logger.told) == EXPECTED
    assert logger.told[-2:] == [("flush",), ("close", "FINISHED")]
    assert len(logger.told) == len(VALUES) + 3
    run = logger.run
    assert run is not None
    assert (run.folder, run.name, run.experiment, run.metric) == (folder / "a", "a trial", "tlx/trials", "acc")
    assert (run.params["strategy.lr"], run.tags["tlx.identity"]) == ("0.1", "0123456789abcdef")


@pytest.mark.parametrize("first", ["resume", "metrics", "end"])
def test_whoever_goes_on_with_a_trial_tells_all_of_it_again(folder: Path, first: str) -> None:
    events = opened(folder / "a", mine=Recording())
    begin(events)
    write(events, VALUES[:3])
    events.write("end", status="KILLED", reason="")
    logger = Recording()
    events = opened(folder / "a", mine=logger)
    if first == "resume":
        events.write("resume", step=2)
    if first != "end":
        write(events, VALUES[3:])
    events.write("end", status="FINISHED", reason="")
    assert logger.told[0] == ("open", event_log.attempt(folder / "a"))
    assert rows(logger.told) == (EXPECTED if first != "end" else EXPECTED[:3])
    assert [one for one in logger.told if one[0] == "close"] == [("close", "FINISHED")]


def test_a_row_has_the_time_at_which_it_was_recorded(folder: Path) -> None:
    class Timed(Logger):
        def __init__(self) -> None:
            self.times: list[float] = []

        def row(self, row: MetricRow) -> None:
            self.times.append(row.time)

    first, second = Timed(), Timed()
    events = opened(folder / "a", mine=first)
    begin(events)
    write(events, VALUES)
    opened(folder / "a", mine=second).write("resume")
    assert first.times == second.times == [row["time"] / 1000 for row in event_log.metrics(folder / "a")]


@pytest.mark.parametrize("broken", ["made", "open", "row", "flush", "close"])
def test_one_that_fails_is_said_once_and_the_others_go_on(
    folder: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Recording):
        def __init__(self) -> None:
            super().__init__()
            if broken == "made":
                raise ImportError("postgresql://me:secret@host/db is no package")

        def _fail(self, *_: object) -> None:
            raise OSError(28, "No space left on device, postgresql://me:secret@host/db")

    if broken != "made":
        setattr(Broken, broken, Broken._fail)
    sound = Recording()
    (folder / "a").mkdir()
    events = EventLog(folder / "a", LoggerFeed(folder / "a", {"broken": Broken, "sound": lambda: sound}))
    with caplog.at_level(logging.WARNING, "tlx.tracking"):
        begin(events)
        write(events, VALUES)
        events.sync()
        write(events, [(6, {"more": 1.0})])
        events.sync()
        events.write("end", status="FINISHED", reason="")
    assert rows(sound.told) == [*EXPECTED, (6, {"more": "1.0"})]
    assert sound.told[-1] == ("close", "FINISHED")
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("loggers.broken stops at a (")
    assert said.endswith("training goes on without it")
    assert "secret" not in said
    assert len(list(event_log.read(folder / "a"))) == len(VALUES) + 3


def test_a_process_that_writes_no_event_log_tells_nobody(folder: Path) -> None:
    logger = Recording()
    events = EventLog(None, LoggerFeed(folder, {"mine": lambda: logger}))
    begin(events)
    write(events, VALUES)
    assert logger.told == []
    assert list(folder.iterdir()) == []
