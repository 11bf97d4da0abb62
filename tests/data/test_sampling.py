"""Samplers: the counts of each stratum, in every epoch and over many, and the same draws wherever training goes on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tlx.columns import Label, Labels, Number, Text
from tlx.columns.reading import Values
from tlx.config.dataset import Dataset
from tlx.config.errors import DataError
from tlx.config.task import Loss
from tlx.data.order import Epochs
from tlx.data.sampling import Sampling, sampling
from tlx.data.source import Source
from tlx.tasks.losses import criterion

KINDS = ("balanced", "square_root")
COUNTS = st.lists(st.integers(1, 40), min_size=2, max_size=6)


def of(kind: str, counts: list[int], seed: int = 0) -> Sampling:
    """Strata of these sizes, in a mixed order."""
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    return Sampling(kind, codes, tuple(f"c{i}" for i in range(len(counts))))


@given(COUNTS, st.sampled_from(KINDS), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_each_stratum_has_its_share_after_any_epoch(counts: list[int], kind: str, seed: int) -> None:
    drawn = of(kind, counts, seed)
    weights = np.ones(len(counts)) if kind == "balanced" else np.sqrt(counts)
    share = sum(counts) * weights / weights.sum()
    seen = np.zeros(len(counts))
    times = np.zeros(sum(counts), dtype=int)
    for epoch in range(5):
        passes, positions = drawn.draw(seed, epoch)
        assert len(positions) == sum(counts)
        seen += np.bincount(drawn.codes[positions], minlength=len(counts))
        assert np.abs(seen - (epoch + 1) * share).max() <= 1 + 1e-9
        for number, position in sorted(zip(passes.tolist(), positions.tolist(), strict=True)):
            assert number == times[position]  # so each time has an augmentation of its own
            times[position] += 1
        for code in range(len(counts)):  # none again before all the others of its stratum
            assert np.ptp(times[drawn.codes == code]) <= 1


@given(COUNTS, st.sampled_from(KINDS), st.lists(st.integers(0, 60), min_size=2, max_size=5).map(sorted))
@settings(max_examples=60, deadline=None)
def test_any_piece_is_a_slice_of_the_whole(counts: list[int], kind: str, cuts: list[int]) -> None:
    def order() -> Epochs:
        return Epochs(sum(counts), 8, seed=3, sampling=of(kind, counts))

    whole = list(order().batches(0, 60))
    for start, stop in pairwise(cuts):
        assert list(order().batches(start, stop)) == whole[start:stop]


def test_the_draws_change_with_seed_and_epoch_only() -> None:
    drawn = of("balanced", [50, 30, 20])
    first = drawn.draw(1, 0)[1].tolist()
    assert first == of("balanced", [50, 30, 20]).draw(1, 0)[1].tolist()
    assert first != drawn.draw(2, 0)[1].tolist()
    assert first != drawn.draw(1, 1)[1].tolist()
    assert np.flatnonzero(np.diff(drawn.codes[first])).size > 20  # mixed


def test_an_empty_stratum_is_never_drawn() -> None:
    drawn = Sampling("balanced", np.array([0, 0, 2]), ("a", "b", "c"))
    assert drawn.expected.tolist() == [1.5, 0, 1.5]
    assert {int(drawn.codes[at]) for epoch in range(4) for at in drawn.draw(0, epoch)[1]} == {0, 2}


def test_equal_strata_are_an_epoch_of_every_example() -> None:
    for kind in KINDS:
        assert sorted(of(kind, [7, 7, 7]).draw(5, 3)[1]) == list(range(21))


@pytest.mark.parametrize("kind", KINDS)
def test_few_examples_take_no_more_memory_than_the_epoch(kind: str) -> None:
    drawn = of(kind, [1, 2, 200_000])
    positions = drawn.draw(0, 0)[1]
    assert len(positions) == 200_003
    assert len(np.unique(positions[drawn.codes[positions] == 2])) == min(200_000, (drawn.codes[positions] == 2).sum())


def test_balanced_draws_descend_on_what_the_weights_of_classes_do() -> None:
    """The mean loss over balanced draws is the mean loss with ``class_weight=auto``: sum_c mean_c / classes."""
    counts = [40, 8, 2]
    drawn = of("balanced", counts)
    logits = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.from_numpy(drawn.codes)
    weighed = criterion(Loss(class_weight="auto"), drawn.names, labels)(logits, labels)
    plain = criterion(Loss(), drawn.names, labels)
    positions = np.concatenate([drawn.draw(0, epoch)[1] for epoch in range(12)])  # 200 of each: whole permutations
    assert np.bincount(drawn.codes[positions]).tolist() == [200, 200, 200]
    assert float(plain(logits[positions], labels[positions])) == pytest.approx(float(weighed), rel=1e-6)


def test_it_says_what_is_drawn() -> None:
    assert str(of("balanced", [6, 2])) == (
        "balanced: examples of each class in train -> drawn per epoch: 'c0' 6 -> 4, 'c1' 2 -> 4"
    )
    assert "... 4 more ..." in str(of("square_root", [9, 8, 7, 6, 5, 4, 3, 2]))


@pytest.mark.parametrize(
    ("column", "values", "hint"),
    [
        (Labels("tags"), [["a"], ["a", "b"], ["b"], []], "task.loss.class_weight=auto"),
        (Number("size"), [1.0, 2.0, 3.0, 4.0], "'size' (number)"),
    ],
)
def test_what_has_not_one_label_is_refused(column: Labels | Number, values: Values, hint: str) -> None:
    text = Text("text")
    target = column if isinstance(column, Labels) else Number("size", role="target")
    source = Source([text, target], {"text": ["a", "b", "c", "d"], target.name: values}, {}).encoded()
    with pytest.raises(DataError) as error:
        sampling(source, np.arange(4), Dataset(kind="x", modality="text", sampler="balanced"))
    (problem,) = error.value.problems
    assert problem.key == "dataset.sampler"
    assert hint in problem.message
    assert sampling(source, np.arange(4), Dataset(kind="x", modality="text")) is None


def test_a_source_of_one_label_is_drawn_by_it() -> None:
    source = Source([Text("text"), Label("label")], {"text": list("abcd"), "label": ["x", "y", "y", "y"]}, {}).encoded()
    drawn = sampling(source, np.array([0, 1, 2]), Dataset(kind="x", modality="text", sampler="balanced"))
    assert drawn is not None
    assert drawn.expected.tolist() == [1.5, 1.5]
