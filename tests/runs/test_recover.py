"""A trial that is killed at its very end is finished by whoever comes next, and nothing is trained again."""

from __future__ import annotations

from pathlib import Path

import pytest

import tlx
from tests.training.conftest import Compose, Families
from tests.training.heads import made, run
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.runs import result as results
from tlx.runs.folder import RunFolder
from tlx.runs.lock import locked
from tlx.runs.recover import GROUP, recover
from tlx.tracking import event_log
from tlx.training.locate import locate

NAMES = ("plain", "seed", "smooth")


class Killed(BaseException):
    """As if by SIGKILL: nothing after it is done."""


def die_at(monkeypatch: pytest.MonkeyPatch, name: str, count: int, speaks: bool = False) -> None:
    """The process ends at the call of that number of a folder's method; where it ``speaks``, for want of space."""
    whole = getattr(RunFolder, name)
    calls = 0

    def called(self: RunFolder, *given: object) -> None:
        nonlocal calls
        calls += 1
        if calls == count:
            raise OSError(28, "No space left on device") if speaks else Killed
        whole(self, *given)

    monkeypatch.setattr(RunFolder, name, called)
    if speaks:
        return
    write = event_log.EventLog.write

    def silent(self: event_log.EventLog, event: str, **fields: object) -> None:
        if event != "end":  # the dead say nothing
            write(self, event, **fields)

    monkeypatch.setattr(event_log.EventLog, "write", silent)


def left(trials: list[Trial]) -> list[tuple[object, dict[str, str]]]:
    """Metrics and hashes of files."""
    found: list[tuple[object, dict[str, str]]] = []
    for trial in trials:
        place = locate(trial)
        result = place.result()
        assert result is not None
        found.append((result.metrics, results.hashes(place.path)))
    return found


@pytest.mark.parametrize("speaks", [False, True], ids=["killed", "full disk"])
@pytest.mark.parametrize(
    ("name", "count"), [("prepare", 1), ("prepare", 3), ("settle", 1), ("settle", 2), ("settle", 3)]
)
def test_a_group_stopped_while_it_is_finished_ends_the_same(
    small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch, name: str, count: int, speaks: bool
) -> None:
    calm = made(small, families, "output=calm", names=NAMES)
    run(calm)
    trials = made(small, families, "output=killed", names=NAMES)
    with monkeypatch.context() as patch:
        die_at(patch, name, count, speaks)
        with pytest.raises(OSError if speaks else Killed):
            run(trials)
    run(trials)
    assert left(trials) == left(calm)
    for trial in trials:
        place = locate(trial).path
        assert list(event_log.read(place))[-1]["status"] == "FINISHED"
        assert not (place / GROUP).exists()


def test_a_result_without_an_end_gets_one(small: Compose) -> None:
    trial = small("strategy=scratch", "checkpoint.every_minutes=0")
    tlx.train(trial)
    place = locate(trial).path
    lines = (place / event_log.FILE).read_text().splitlines(keepends=True)
    (place / event_log.FILE).write_text("".join(lines[:-1]))
    (place / "state.pt").touch()
    stamp = (place / layout.RESULT).stat().st_mtime_ns
    with locked(place, "another"):
        recover(place)  # it is at work: it will do it itself
        assert (place / "state.pt").exists()
    assert tlx.train(trial).steps == 6
    assert (place / layout.RESULT).stat().st_mtime_ns == stamp
    assert list(event_log.read(place))[-1] | {"time": 0} == {
        "event": "end",
        "time": 0,
        "status": "FINISHED",
        "reason": "",
    }
    assert not (place / "state.pt").exists()


def test_what_is_not_finished_is_left_alone(folder: Path) -> None:
    event_log.EventLog(folder).begin(name="a")
    (folder / "state.pt").touch()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    recover(folder)
    recover(folder / "nowhere")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
