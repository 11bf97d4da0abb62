"""The grades, from run folders written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from tlx.provenance import verdict
from tlx.provenance.compare import Row
from tlx.provenance.verdict import Circumstances
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


def test_noise_is_where_a_further_repetition_would_lie(folder: Path) -> None:
    losses = [0.5, 0.53, 0.44, 0.51]
    spread = stats.tstd(losses) * (1 + 1 / len(losses)) ** 0.5
    low, high = stats.t.interval(0.95, len(losses) - 1, loc=sum(losses) / len(losses), scale=spread)
    old, runs = finished(folder / "a", losses[0]), [result(loss) for loss in losses]
    around = Circumstances(repetitions=lambda: runs)
    for name, loss, grade in [("in", high - 1e-4, "within noise"), ("out", high + 1e-4, "different")]:
        assert verdict.of_runs(old, finished(folder / name, loss), around).grade == grade
    assert verdict.of_runs(old, finished(folder / "below", low + 1e-4), around).grade == "within noise"


@pytest.mark.parametrize(("count", "more"), [(1, "2 more times"), (2, "1 more time")])
def test_of_few_repetitions_no_noise_is_known(folder: Path, count: int, more: str) -> None:
    old, new = finished(folder / "a", 0.5), finished(folder / "b", 0.51)
    found = verdict.of_runs(old, new, Circumstances(repetitions=lambda: [result(0.4), result(0.6)][:count]))
    assert found.grade == "different"
    assert found.reason.endswith(f"lie apart is not known; repeat it {more}")


def test_repetitions_that_are_all_alike_are_no_noise(folder: Path) -> None:
    old, new = finished(folder / "a", 0.5), finished(folder / "b", 0.5 + 2e-6)
    found = verdict.of_runs(old, new, Circumstances(repetitions=lambda: [result(0.5)] * 5))
    assert found.grade == "different"
    assert "test/loss is outside what 5 runs of this trial differ by" in found.reason


WIDE = Circumstances(repetitions=lambda: [result(loss) for loss in (0.1, 0.5, 0.9)])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"settings": [Row("config", "strategy.lr", 0.001, 0.01)]}, "settings were changed: strategy.lr 0.001 -> 0.01"),
        ({"inputs": [Row("", "data", "a", "b")]}, "it was made of something else: data a -> b"),
    ],
)
def test_what_is_another_trial_is_never_within_noise(folder: Path, change: dict[str, list[Row]], says: str) -> None:
    old, new = finished(folder / "a", 0.5), finished(folder / "b", 0.51)
    assert verdict.of_runs(old, new, WIDE).grade == "within noise"
    found = verdict.of_runs(old, new, replace(WIDE, **change))  # type: ignore[arg-type]
    assert found.grade == "different"
    assert says in found.reason
    same = verdict.of_runs(old, old, replace(WIDE, **change))  # type: ignore[arg-type]
    assert same.grade == "bitwise"
    assert says in same.reason


def test_an_altered_record_is_no_better_than_altered(folder: Path) -> None:
    old, new = finished(folder / "a", 0.5), finished(folder / "b", 0.5)
    around = Circumstances(contradictions=["one", "two", "three", "four"])
    for found in (verdict.of_runs(old, new, around), verdict.of_beginnings(old, new, around)):
        assert found.grade == "altered"
        assert found.reason.startswith("one; two; three; and 1 more; against what is there it is bitwise: ")
    assert verdict.of_altered(["one"]).grade == "altered"


def test_the_store_that_was_read_is_named(folder: Path) -> None:
    old = finished(folder / "a", 0.5)
    assert verdict.of_runs(old, old, Circumstances(cache="store")).reason.endswith("with the feature cache of store")
    other, around = finished(folder / "b", 0.9), Circumstances(old_read_cache=True)
    assert verdict.of_runs(old, other, around).reason.endswith(
        "the old run read kept features, which this one computed"
    )
    assert "kept features" not in verdict.of_runs(old, old, around).reason


def test_different_says_where_the_event_logs_part(folder: Path) -> None:
    found = verdict.of_runs(finished(folder / "a", 0.5), finished(folder / "b", 0.9, curve=(1.0, 0.75)))
    assert "test/loss is 0.4 off" in found.reason
    assert "step 2: val/loss 0.5 -> 0.75" in found.reason


def test_a_beginning_is_judged_by_what_both_have(folder: Path) -> None:
    old = finished(folder / "a", 0.5, curve=(1.0, 0.5, 0.25))
    assert verdict.of_beginnings(old, finished(folder / "b", 0.5, curve=(1.0,))).grade == "bitwise"
    assert verdict.of_beginnings(old, finished(folder / "c", 0.5, curve=(1.0, 0.6))).grade == "different"
    assert verdict.of_beginnings(old, finished(folder / "d", 0.5, curve=())).grade == "different"
