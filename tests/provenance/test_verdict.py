"""The four grades, from run folders written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats

from tlx.provenance import verdict
from tlx.runs import layout
from tlx.runs.folder import RunFolder
from tlx.runs.metric import Metric
from tlx.runs.result import Result
from tlx.tracking.event_log import EventLog


def finished(path: Path, loss: float, *, weights: bytes = b"w", curve: tuple[float, ...] = (1.0, 0.5)) -> Path:
    """A finished run with this test loss."""
    path.mkdir(parents=True)
    book = EventLog(path)
    for step, value in enumerate(curve, start=1):
        book.write("metrics", step=step, epoch=step, values={"val/loss": value})
    (path / layout.CHECKPOINT).write_bytes(weights)
    (path / layout.PREDICTIONS).write_text("{}\n")
    RunFolder(path, "id", "name", {}).finish(result(loss))
    return path


def result(loss: float) -> Result:
    return Result("id", "name", "folder", {"test/loss": loss}, 2, 1, 1, 0.0, 0.0, Metric("loss", "loss", "min"))


def test_to_the_last_bit(folder: Path) -> None:
    found = verdict.of_runs(finished(folder / "a", 0.5), finished(folder / "b", 0.5))
    assert found.grade == "bitwise"


@pytest.mark.parametrize("change", [{"weights": b"x"}, {"curve": (1.0, 0.5 + 1e-12)}], ids=["weights", "journal"])
def test_other_bits_behind_the_same_metrics_are_not_bitwise(folder: Path, change: dict[str, bytes]) -> None:
    found = verdict.of_runs(finished(folder / "a", 0.5), finished(folder / "b", 0.5, **change))  # type: ignore[arg-type]
    assert found.grade == "equal"


@pytest.mark.parametrize(
    ("loss", "grade"), [(0.5 + 9e-7, "equal"), (0.5 + 2e-6, "different"), (float("nan"), "different")]
)
def test_equal_is_within_a_millionth(folder: Path, loss: float, grade: str) -> None:
    assert verdict.of_runs(finished(folder / "a", 0.5), finished(folder / "b", loss)).grade == grade


def test_noise_is_where_a_further_seed_would_lie(folder: Path) -> None:
    losses = [0.5, 0.53, 0.44, 0.51]
    spread = stats.tstd(losses) * (1 + 1 / len(losses)) ** 0.5
    low, high = stats.t.interval(0.95, len(losses) - 1, loc=sum(losses) / len(losses), scale=spread)
    old, seeds = finished(folder / "a", losses[0]), [result(loss) for loss in losses[1:]]
    for name, loss, grade in [("in", high - 1e-4, "within noise"), ("out", high + 1e-4, "different")]:
        assert verdict.of_runs(old, finished(folder / name, loss), seeds).grade == grade
    assert verdict.of_runs(old, finished(folder / "below", low + 1e-4), seeds).grade == "within noise"
    assert verdict.of_runs(old, finished(folder / "few", high - 1e-4), seeds[:1]).grade == "different"  # two seeds


def test_different_says_where_the_event_logs_part(folder: Path) -> None:
    found = verdict.of_runs(finished(folder / "a", 0.5), finished(folder / "b", 0.9, curve=(1.0, 0.75)))
    assert "test/loss is 0.4 off" in found.reason
    assert "step 2: val/loss 0.5 -> 0.75" in found.reason


def test_a_beginning_is_judged_by_what_both_have(folder: Path) -> None:
    old = finished(folder / "a", 0.5, curve=(1.0, 0.5, 0.25))
    assert verdict.of_beginnings(old, finished(folder / "b", 0.5, curve=(1.0,))).grade == "bitwise"
    assert verdict.of_beginnings(old, finished(folder / "c", 0.5, curve=(1.0, 0.6))).grade == "different"
    assert verdict.of_beginnings(old, finished(folder / "d", 0.5, curve=())).grade == "different"
