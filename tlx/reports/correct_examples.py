"""Which test examples each run of a cell got right, where the metric is the share of those: for two-way intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tlx.files import foreign
from tlx.runs.layout import PREDICTIONS
from tlx.statistics.crossed import crossed_interval
from tlx.statistics.intervals import Estimate

MOST = 5000  # test examples; of more, the spread that they bring is small beside that of seeds
_LARGEST = 1 << 26  # bytes of a file of predictions
Correct = Mapping[int, bool]  # by the example's number


def correct_examples(folder: Path, examples: int) -> Correct:
    """Of each test example, was it right? Empty where that is not what predictions say, or there are too many.

    Args:
        folder: A run folder.
        examples: How many are expected.
    """
    if not 0 < examples <= MOST:
        return {}
    try:
        rows = [foreign.json_value(line) for line in foreign.text(folder / PREDICTIONS, _LARGEST).splitlines()]
    except (FileNotFoundError, foreign.Unreadable):
        return {}
    known = [
        row for row in rows if foreign.conforms(row, dict[str, object]) and foreign.conforms(row.get("index"), int)
    ]
    named = all(isinstance(row.get("label"), str) and isinstance(row.get("prediction"), str) for row in known)
    if len(known) != examples or not named:
        return {}
    return {int(row["index"]): row["label"] == row["prediction"] for row in known}


def two_way(mine: Sequence[Correct], others: Sequence[Correct]) -> Estimate | None:
    """The paired difference with its interval over new seeds and new test examples.

    Args:
        mine: What the arm got right, a mapping for each seed.
        others: The other arm's, of the same seeds.

    Returns:
        None where seeds were not tested on the same examples, or it is not known which were right.
    """
    every = [*mine, *others]
    if not every or not every[0] or any(one.keys() != every[0].keys() for one in every):
        return None
    order = sorted(every[0])
    table = np.array(
        [[float(a[i]) - float(b[i]) for i in order] for a, b in zip(mine, others, strict=True)], dtype=np.float64
    )
    return crossed_interval(table)
