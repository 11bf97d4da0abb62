"""What an unknown label is to the examples that train (Irvin et al. 2019): a policy of training, never of a metric."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tlx.columns import Labels
from tlx.config.dataset import Dataset, Table
from tlx.data.source import Source

_TAKEN_FOR = {"zeros": 0.0, "ones": 1.0}  # by ``dataset.unknown``; ignored ones stay NaN


def for_training(source: Source, config: Dataset) -> Source:
    """The source as training sees it: an unknown label is what ``dataset.unknown`` says.

    Held-out examples are of the source as it is, where an unknown label is NaN and counts nowhere.
    """
    if not isinstance(config, Table) or config.unknown == "ignore":
        return source
    rows = dict(source.rows)
    for column in source.columns:
        if isinstance(column, Labels) and column.role == "target":
            values = np.asarray(rows[column.name])
            rows[column.name] = np.where(np.isnan(values), values.dtype.type(_TAKEN_FOR[config.unknown]), values)
    return replace(source, rows=rows)
