"""Splits by when examples are from: the latest test, no moment is parted, an order in doubt is refused."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.splitting import source
from tlx.config.dataset import Digits
from tlx.config.errors import DataError
from tlx.data.splits import cut


@pytest.mark.parametrize("as_dates", [False, True])
@given(seed=st.integers(0, 1000), moments=st.integers(5, 200))
def test_the_latest_test_and_no_moment_is_parted(as_dates: bool, seed: int, moments: int) -> None:
    when = np.random.default_rng(seed).integers(moments, size=100)
    told = [str(date(2024, 1, 1) + timedelta(days=int(one))) if as_dates else float(one) for one in when]
    whole = source([0, 1] * 50, times=told)
    found = cut(whole, Digits(split_by="time", test=0.2, val=0.2))
    assert sorted(i for one in found.values() for i in one.tolist()) == list(range(100))
    assert when[found["train"]].max() < when[found["val"]].min()
    assert when[found["val"]].max() < when[found["test"]].min()
    ordered = np.sort(when)
    if len(set(ordered)) == 100 or ordered[79] < ordered[80]:
        assert len(found["test"]) == 20
    else:
        assert any("stay together" in note for note in whole.notes)


@pytest.mark.parametrize("word", ["yesterday", "2024-13-01", "", "nan", "inf"])
def test_what_is_no_time_names_its_example(word: str) -> None:
    times = [f"2024-01-{i + 1:02}" for i in range(30)]
    times[7] = word
    with pytest.raises(DataError, match=r"example 7 .*neither a number nor an ISO date"):
        cut(source([0, 1] * 15, times=times), Digits(split_by="time"))


@pytest.mark.parametrize(
    "times",
    [
        ["20240506T1200", *(f"202405{i + 10}" for i in range(19))],
        [f"202405{i + 10}" for i in range(20)],
        [f"{i / 8}" for i in range(20)],
        [f"{i:02}" for i in range(20)],
        [f"{i / 4:.2f}" for i in range(20)],
    ],
)
def test_numbers_or_dates_are_in_order(times: list[str]) -> None:
    found = cut(source([0, 1] * 10, times=times[::-1]), Digits(split_by="time"))
    assert {name: one.tolist() for name, one in found.items()} == {
        "test": [*range(4)],
        "val": [*range(4, 7)],
        "train": [*range(7, 20)],
    }


@pytest.mark.parametrize(
    ("times", "wrong", "said"),
    [
        ([*(f"2024-05-{i + 10}" for i in range(19)), "2024"], [19], "is a number, and others are dates (2024-05-10)"),
        ([f"{i % 12 + 1}.{2000 + i}" for i in range(20)], [*range(20)], "is a month and a year"),
        ([f"{i + 1:02}.12" for i in range(20)], [*range(9)], "has a leading zero"),
        ([f"1.{i}" for i in range(20)], [10], "as versions have"),
    ],
)
def test_an_order_in_doubt_is_refused(times: list[str], wrong: list[int], said: str) -> None:
    with pytest.raises(DataError) as caught:
        cut(source([0, 1] * 10, times=times), Digits(split_by="time"))
    assert [problem.key for problem in caught.value.problems] == [f"example {i}" for i in wrong]
    assert all(said in problem.message for problem in caught.value.problems)


def test_a_column_of_time_is_said_to_be_no_input() -> None:
    whole = source([0, 1] * 20, times=[float(i) for i in range(40)])
    cut(whole, Digits(time="when"))
    assert any("'when' (dataset.time) is when an example is from, and no input" in note for note in whole.notes)
    whole.notes.clear()
    cut(whole, Digits(time="when", split_by="time"))
    assert whole.notes == []


def test_given_splits_that_go_back_in_time_are_refused() -> None:
    given = {"train": np.arange(20, 40), "val": np.arange(10, 20), "test": np.arange(10)}
    with pytest.raises(DataError, match="20 examples of train are later than the first of val"):
        cut(source([0, 1] * 20, times=[float(i) for i in range(40)], splits=given), Digits(split_by="time"))


def test_folds_in_time_train_on_what_was_before() -> None:
    whole = source([0, 1] * 30, times=[float(59 - i) for i in range(60)])
    for fold, stop in enumerate([20, 30, 40, 50, 60]):
        found = cut(whole, Digits(split_by="time", folds=5, fold=fold, val=0.2))
        when = {name: 59 - one for name, one in found.items()}
        assert set(when["test"].tolist()) == set(range(stop - 10, stop))
        assert set(when["train"].tolist()) | set(when["val"].tolist()) == set(range(stop - 10))
        assert when["train"].max() < when["val"].min()
    assert "40 examples are later than fold 0 and are not used" in whole.notes


@pytest.mark.parametrize("fold", [0, 2, 4])
def test_what_is_said_of_a_class_that_a_fold_has_alone_can_be_done(fold: int) -> None:
    """Folds of ten, the first after ten; the class is of two of a fold's moments, and of a later one."""
    when = [*range(60), 5]
    labels = [i % 2 for i in range(60)]
    for i in (14 + 10 * fold, 17 + 10 * fold, 59):
        labels[i] = 2

    def of(chosen: list[int], fold: int) -> set[int]:
        whole = source([labels[i] for i in chosen], times=[float(when[i]) for i in chosen])
        found = cut(whole, Digits(split_by="time", folds=5, fold=fold, val=0.1))
        return {labels[chosen[i]] for i in found["train"].tolist()}

    last = fold == 4
    with pytest.raises(DataError) as caught:
        of([*range(60)], fold)
    said = str(caught.value)
    assert f"fold {fold} tests {2 + last} of 3 example(s) of '2', and none is left to train" in said
    assert "add some that are earlier" in said
    assert (f"dataset.fold={fold + 1}" in said) is not last
    assert "other folds can have" not in said
    of([i for i in range(60) if labels[i] != 2], fold)  # left out
    labels.append(2)
    assert 2 in of([*range(61)], fold)  # an earlier one is added
    if not last:
        assert 2 in of([*range(60)], fold + 1)
