"""The order of training: every example once per epoch, whatever the batch, the devices or the place we resume at."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tlx.columns.input_spec import ImageSpec
from tlx.config.dataset import Digits
from tlx.config.errors import DataError
from tlx.data.module import Data
from tlx.data.order import Batches, Epochs

COUNTS = (8, 9, 16, 17, 63, 100, 101)
SPECS = {"image": ImageSpec(1, 8, 8, (0.0,), (1.0,))}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("batch_size", [8, 16, 32])
@pytest.mark.parametrize("least", [2, 4, 8])
def test_every_example_once_per_epoch_and_no_batch_under_the_least(count: int, batch_size: int, least: int) -> None:
    epochs = Epochs(count, batch_size, seed=5, least=least)
    steps = epochs.steps_per_epoch
    for epoch in range(3):
        batches = list(epochs.batches(epoch * steps, (epoch + 1) * steps))
        assert {item[0] for batch in batches for item in batch} == {epoch}
        assert sorted(position for batch in batches for _, position in batch) == list(range(count))
        sizes = [len(batch) for batch in batches]
        assert all(size == batch_size for size in sizes[:-1])
        assert least <= sizes[-1] < batch_size + least


def test_any_pieces_put_together_are_the_whole() -> None:
    whole = list(Epochs(53, 8, seed=3).batches(0, 40))
    rng = random.Random(0)
    for _ in range(20):
        cuts = [0, *sorted(rng.sample(range(1, 40), 4)), 40]
        pieces = [batch for a, b in pairwise(cuts) for batch in Epochs(53, 8, seed=3).batches(a, b)]
        assert pieces == whole


def test_the_order_changes_with_seed_and_epoch_only() -> None:
    epochs = Epochs(100, 10, seed=1)
    first = list(epochs.order(0))
    assert first == list(Epochs(100, 25, seed=1, least=4).order(0))
    assert first != list(epochs.order(1))
    assert first != list(Epochs(100, 10, seed=2).order(0))
    assert first != list(range(100))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("world", "accumulate"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (3, 1)])
def test_ranks_and_accumulation_partition_each_batch(count: int, world: int, accumulate: int) -> None:
    epochs = Epochs(count, 12, seed=0, least=2 * world * accumulate)
    whole = list(epochs.batches(0, 2 * epochs.steps_per_epoch))
    shares = [list(Batches(whole, accumulate, rank, world)) for rank in range(world)]
    assert [len(share) for share in shares] == [len(whole) * accumulate] * world
    for step, batch in enumerate(whole):
        parts = [share[step * accumulate + k] for share in shares for k in range(accumulate)]
        assert sorted(item for part in parts for item in part) == sorted(batch)
        assert min(len(part) for part in parts) >= 2
        assert max(len(part) for part in parts) - min(len(part) for part in parts) <= 1


def test_the_number_of_batches_is_known() -> None:
    whole = list(Epochs(20, 8, seed=0).batches(0, 7))
    assert len(Batches(whole, accumulate=2, rank=1, world=2)) == 14


@pytest.mark.parametrize("eval_batch_size", [7, 64, 199, 256])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_evaluation_sees_each_example_once_over_all_ranks(eval_batch_size: int, world: int) -> None:
    data = Data(Digits(eval_batch_size=eval_batch_size), seed=0, batch_size=8)
    data.prepare(SPECS)
    shares = [[b.index.tolist() for b in data.eval_loader("val", rank=r, world=world)] for r in range(world)]
    assert len({len(share) for share in shares}) == 1  # a rank with fewer batches would leave the others waiting
    assert all(batch for share in shares for batch in share)
    assert sorted(i for share in shares for batch in share for i in batch) == sorted(data.splits["val"])


def test_training_feeds_each_training_example_once() -> None:
    data = Data(Digits(shots=3), seed=0, batch_size=8)
    data.prepare(SPECS)
    epochs = data.epochs(world=2)
    loaders = [data.train_loader(epochs, 0, epochs.steps_per_epoch, rank=r, world=2) for r in range(2)]
    seen = [i for loader in loaders for batch in loader for i in batch.index.tolist()]
    assert sorted(seen) == sorted(data.splits["train"])


def test_too_few_examples_for_the_devices_is_said() -> None:
    data = Data(Digits(shots=1), seed=0, batch_size=32)
    with pytest.raises(DataError, match="10 training examples are too few for 4"):
        data.epochs(world=4, accumulate=2)


@pytest.mark.parametrize(("batch_size", "world", "accumulate"), [(1, 1, 1), (2, 2, 1), (7, 2, 2), (8, 4, 2)])
def test_a_batch_too_small_for_two_examples_each_is_refused(batch_size: int, world: int, accumulate: int) -> None:
    data = Data(Digits(shots=5), seed=0, batch_size=batch_size)
    with pytest.raises(DataError, match=f"a batch of {batch_size} .* too few for {world} device"):
        data.epochs(world, accumulate)


@pytest.mark.parametrize(
    ("batch_size", "world", "accumulate"), [(2, 1, 1), (4, 2, 1), (8, 2, 2), (9, 4, 1), (16, 4, 2), (50, 5, 5)]
)
def test_every_process_gets_two_examples_of_a_batch(batch_size: int, world: int, accumulate: int) -> None:
    epochs = Data(Digits(shots=5), seed=0, batch_size=batch_size).epochs(world, accumulate)
    whole = list(epochs.batches(0, epochs.steps_per_epoch))
    parts = [part for rank in range(world) for part in Batches(whole, accumulate, rank, world)]
    assert min(len(part) for part in parts) >= 2


def test_order_and_shots_have_seeds_of_their_own() -> None:
    """The same examples in another order, and other examples by the same rule of order."""

    def seen(seed: int, order_seed: int | None) -> list[int]:
        data = Data(Digits(shots=3), seed=seed, batch_size=8, order_seed=order_seed)
        data.prepare(SPECS)
        epochs = data.epochs()
        return [i for batch in data.train_loader(epochs, 0, epochs.steps_per_epoch) for i in batch.index.tolist()]

    plain, same, other = seen(0, None), seen(0, 0), seen(0, 1)
    assert plain == same
    assert plain != other
    assert sorted(plain) == sorted(other)
    assert sorted(seen(1, 0)) != sorted(plain)
