"""How a sweep stands, told from files made by hand: every state, and what is said of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tlx.cli import main
from tlx.files.checksum import with_checksum
from tlx.orchestration import status
from tlx.runs.lock import locked
from tlx.runs.metric import Metric
from tlx.runs.result import Result
from tlx.tracking.event_log import EventLog

ACCURACY = Metric("acc", "accuracy", "max", percent=True)
RESULT = Result(
    "1", "done", "done", {}, steps=1, parameters=1, trained=1, cpu_seconds=1.0, wall_seconds=30.0, primary=ACCURACY
)


@pytest.fixture
def sweep(folder: Path) -> Path:
    """A sweep of six trials, one of each kind but for the one that is at work."""
    names = ["done", "failed", "begun", "saved", "pruned", "new"]
    root = folder / "runs"
    for name in ("study-1234", *names):
        (root / name).mkdir(parents=True)
    record = EventLog(root / "study-1234")
    record.begin(kind="sweep", tags={"tlx.kind": "sweep"})
    record.write("trials", folders=names[:4])
    record.write("trials", folders=names[4:])
    (root / "done" / "result.json").write_text(with_checksum(json.dumps(asdict(RESULT))))
    for name, reason in (("failed", "ValueError: too many\nlines"), ("pruned", "Pruned: val/loss 3 at round 2")):
        events = EventLog(root / name)
        events.begin(kind="train")
        events.write("end", status="FAILED" if name == "failed" else "KILLED", reason=reason)
    for name in ("begun", "saved"):
        events = EventLog(root / name)
        events.begin(kind="train")
        events.write("metrics", step=17, epoch=1.0, values={})
    (root / "saved" / "state.pt").touch()
    return root / "study-1234"


def test_every_state_is_told(sweep: Path) -> None:
    found = {trial.folder.name: (trial.state, trial.detail) for trial in status.summary(sweep).trials}
    log = sweep.parent / "failed" / "log.txt"
    assert found == {
        "done": ("done", ""),
        "failed": ("failed", f"ValueError: too many  (log: {log})"),
        "begun": ("interrupted", "step 17; begins anew"),
        "saved": ("interrupted", "step 17; goes on from its saved state"),
        "pruned": ("pruned", "Pruned: val/loss 3 at round 2"),
        "new": ("waiting", ""),
    }


def test_who_is_at_work_is_told_from_the_lock(sweep: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tlx.runs.lock import locked\n"
        "with locked(Path(sys.argv[1]), 'mine'): print('held', flush=True); sys.stdin.read()"
    )
    place = sweep.parent / "begun"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as held:
        assert held.stdout is not None
        assert held.stdin is not None
        held.stdout.readline()
        running = status.standing(place)
        held.stdin.close()
    assert running.state == "running"
    assert f"process {held.pid} on" in running.detail
    assert status.standing(place).state == "interrupted"  # death, or the end, let go of it


def test_the_time_left_is_that_of_finished_trials(sweep: Path) -> None:
    """One took 30 s; three are open and none is at work."""
    summary = status.summary(sweep)
    assert summary.left == pytest.approx(90.0)
    assert summary.counts == {"done": 1, "pruned": 1, "failed": 1, "interrupted": 2, "waiting": 1}


def test_the_verb(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    line = "study-1234  6 trials: 1 done, 1 pruned, 1 failed, 2 interrupted, 1 waiting; about 90 s left"
    assert capsys.readouterr().out.strip().replace("2 min", "90 s") == line
    assert main(["status", "study"]) == 0
    out = capsys.readouterr().out
    assert "goes on from its saved state" in out
    assert "\n  done" not in out
    assert main(["status", "studdy"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert main(["status", "output=nowhere"]) == 2


def test_a_lock_waits_for_who_only_looks(folder: Path) -> None:
    with locked(folder / "a", "a"):
        assert status.standing(folder / "a").state == "running"
    with locked(folder / "a", "a"):
        pass
