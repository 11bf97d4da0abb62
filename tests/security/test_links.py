"""Symbolic links in run folders: nothing is written through them, nothing behind them is read or sent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import tlx
from tlx.config.errors import RequestError
from tlx.config.schema import Trial
from tlx.orchestration import status, worker
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs import result as results
from tlx.runs.lock import FILE as LOCK
from tlx.runs.lock import locked
from tlx.tracking import event_log
from tlx.training.locate import locate

SECRET = "a secret that nobody may see or lose\n"
NAMES = [
    LOCK, layout.CONFIG, layout.RESULT, layout.PREPARED, layout.CHECKPOINT, layout.PREDICTIONS, layout.SCHEDULE,
    event_log.FILE, "events.1.jsonl", "repro.json", "state.pt", "state.before.pt", "together.json", "mlflow.json",
    worker.LOG, "nan_batch.safetensors", "state.partial", "checkpoint.partial", "repro.json.partial", ".tlx",
]  # fmt: skip


def small(*words: str) -> Trial:
    base = ["backbone=narrow_resnet", "strategy=scratch", "strategy.budget=2 steps", "strategy.batch_size=16"]
    base += ["dataset=digits", "dataset.shots=2", "tracking=none", "hardware.threads=1"]
    return tlx.compose([*base, *words])


@pytest.fixture
def finished(folder: Path) -> Path:
    """A finished run, to be copied."""
    tlx.train(small("output=runs"))
    (place,) = (path.parent for path in folder.glob("runs/*/result.json"))
    return place


REFUSED = {LOCK: "cannot be written to", "state.pt": "is a symbolic link"}


@pytest.mark.parametrize("linked", ["the rest", *REFUSED])
def test_a_trial_begun_in_a_folder_of_links_writes_through_none(folder: Path, linked: str) -> None:
    """Each name a trial writes leads to a file of the user's; the trial replaces the links, or says why not."""
    (folder / "precious").write_text(SECRET)
    trial = small("output=runs", "checkpoint.every_minutes=0")
    place = locate(trial).path
    place.mkdir(parents=True)
    (place.parent / ".tlx").write_text("tlx: runs\n")
    if linked == "state.pt":
        event_log.EventLog(place).begin()
    for name in [linked] if linked in REFUSED else [n for n in NAMES if n not in (*REFUSED, *layout.STATES)]:
        (place / name).symlink_to(folder / "precious")
    if linked in REFUSED:
        with pytest.raises(RequestError, match=REFUSED[linked]):
            tlx.train(trial)
    else:
        tlx.train(trial)
        assert results.result_in(place) is not None
    assert (folder / "precious").read_text() == SECRET


def test_a_run_folder_that_is_a_link_is_refused(folder: Path) -> None:
    trial = small("output=runs")
    place = locate(trial).path
    (folder / "elsewhere").mkdir()
    place.parent.mkdir()
    (place.parent / ".tlx").write_text("tlx: runs\n")
    place.symlink_to(folder / "elsewhere")
    with pytest.raises(RequestError, match="symbolic link"):
        tlx.train(trial)
    assert list((folder / "elsewhere").iterdir()) == []


@settings(max_examples=max(1, settings().max_examples // 2))
@given(some.sets(some.sampled_from(NAMES), min_size=1, max_size=5))
def test_readers_look_behind_no_link(finished: Path, chosen: set[str]) -> None:
    """Results, event logs, locks and configurations that are links are none; nobody trips over them."""
    copy = finished.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(finished, copy)
    for name in chosen:
        (copy / name).unlink(missing_ok=True)
        (copy / name).symlink_to(finished / "result.json" if name == layout.RESULT else finished / name)
    if layout.RESULT in chosen:
        assert results.result_in(copy) is None
    if event_log.FILE in chosen:
        assert list(event_log.read(copy)) == []
        assert event_log.last(copy) == {}
    if layout.CONFIG in chosen:
        with pytest.raises(RequestError, match="symbolic link"):
            folders.read_config(copy)
    assert status.standing(copy).state in status.ORDER
    try:
        with locked(copy, "copy", patience=0):
            assert LOCK not in chosen
    except RequestError:
        assert LOCK in chosen
    shutil.rmtree(copy)
