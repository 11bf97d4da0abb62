"""Batches by workers are those made here, whatever is asked for after what."""

from __future__ import annotations

import multiprocessing
from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec
from tlx.config.dataset import Digits
from tlx.data.module import Data

SPEC = {"image": ImageSpec(1, 16, 16, (0.5,), (0.25,))}


def digits(workers: int) -> Data:
    """Twenty digits with an augmentation, so that there is something to be done for a batch."""
    data = Data(Digits(shots=2, shots_seed=0, augment="flip_crop"), seed=3, batch_size=5, workers=workers)
    data.prepare(SPEC)
    return data


@pytest.fixture(scope="module")
def made() -> tuple[Data, Data]:
    return digits(0), digits(1)


def same(first: list[Batch], second: list[Batch]) -> bool:
    """Are these batches equal bit for bit?"""
    parts = [(dict(a.tensors()), dict(b.tensors())) for a, b in zip(first, second, strict=True)]
    return all(a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in parts)


ROUND = st.tuples(st.integers(0, 12), st.integers(1, 6), st.integers(0, 7), st.booleans())


@settings(max_examples=15)
@given(rounds=st.lists(ROUND, min_size=1, max_size=5))
def test_rounds_in_any_order_left_at_any_place(
    made: tuple[Data, Data], rounds: list[tuple[int, int, int, bool]]
) -> None:
    """Rounds that follow each other, repeat, jump, are left early, or are without augmentation."""
    for start, count, wanted, plain in rounds:
        here, there = (
            list(islice(data.train_loader(data.epochs(), start, start + count, plain=plain), wanted)) for data in made
        )
        assert same(here, there)


@pytest.mark.parametrize("world", [1, 2])
def test_rounds_with_validations_between(made: tuple[Data, Data], world: int) -> None:
    for start in range(0, 9, 3):
        for rank in range(world):
            here, there = (
                list(data.train_loader(data.epochs(), start, start + 3, rank=rank, world=world)) for data in made
            )
            assert same(here, there)
        for split in ("val", "test"):
            here, there = (list(islice(data.eval_loader(split), 2)) for data in made)
            assert same(here, there)


def test_a_round_can_be_read_twice_and_knows_how_long_it_is(made: tuple[Data, Data]) -> None:
    loader = made[1].train_loader(made[1].epochs(), 0, 3)
    assert len(loader) == 3  # type: ignore[arg-type]
    assert same(list(loader), list(loader))


def test_processes_end_when_they_are_told_to_and_others_begin() -> None:
    """In the middle of a round too, and however often."""
    before = set(multiprocessing.active_children())
    data = digits(2)
    whole = list(data.train_loader(data.epochs(), 0, 3))
    for _ in range(2):
        begun = iter(data.train_loader(data.epochs(), 0, 3))
        assert same([next(begun)], whole[:1])
        assert len(set(multiprocessing.active_children()) - before) == 2
        data.close()
        assert set(multiprocessing.active_children()) == before
    assert same(list(data.train_loader(data.epochs(), 0, 3)), whole)
    data.close()
    data.close()
