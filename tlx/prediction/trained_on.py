"""Which of the examples that a model is measured on it was trained on: a test that is cut anew may hold some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from tlx.columns.reading import Indices
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigError, ConfigIssue, DataError
from tlx.config.schema import Trial
from tlx.data.module import Data
from tlx.runs import manifest
from tlx.runs.result import read_result

_CUT = (  # the options that say which example is in which split
    *("test", "val", "split_seed", "shots", "shots_seed", "validation"),
    *("split_by", "group", "time", "folds", "fold", "duplicates", "near_duplicates"),
)


def notes(run: Path, trial: Trial, config: Dataset, data: Mapping[str, str], indices: Indices) -> list[str]:
    """What a person should know of a measurement's examples and the trial's training.

    Args:
        run: The trial's folder, which records its splits.
        trial: Its configuration.
        config: Of the data that are measured.
        data: Their ``fingerprint``, and the ``split``.
        indices: The examples that are measured.

    Raises:
        ConfigError: A test or a validation split holds examples that the model was trained on.
    """
    split = data["split"]
    cut = {name: getattr(trial.dataset, name) for name in _CUT}
    if data["fingerprint"] != read_result(run).facts.get("data"):
        if replace(config, **cut, test_augment=trial.dataset.test_augment) != trial.dataset:
            return []
        return ["they are the trial's own, and have changed since: examples may have been trained on"]
    if split in ("train", "all"):
        return [f"the model was trained on examples of {split}"]
    recorded = _recorded(run)
    if recorded.get(split) == f"{len(indices)} {sha256(indices.astype('<i8').tobytes()).hexdigest()[:16]}":
        return []
    unknown = [f"examples of {split} may have been trained on: the trial's own splits cannot be made again here"]
    try:
        own = Data(replace(config, **cut), seed=trial.seed, batch_size=trial.strategy.batch_size)
    except DataError:
        return unknown
    if recorded and own.hashes()["train"] != recorded.get("train"):
        return unknown
    trained, chosen = (int(np.isin(indices, own.splits[name]).sum()) for name in ("train", "val"))
    if trained:
        mine = [word for name in _CUT if getattr(config, name) != cut[name] for word in _words(name, cut[name])]
        message = (
            f"the model was trained on {trained:,} of its {len(indices):,} examples; the trial's own splits are those "
            f"of {', '.join(mine) or 'other settings'}. Measure those, or all examples knowingly: --split all"
        )
        raise ConfigError([ConfigIssue(f"dataset ({split})", message)])
    if chosen and split == "test":
        return [f"{chosen:,} of {len(indices):,} examples of test are of the trial's val, by which weights are chosen"]
    return []


def _words(name: str, value: Any) -> list[str]:
    """An option as it is written on the command line; a part by its own options."""
    if is_dataclass(value) and not isinstance(value, type):
        return [word for inner, one in asdict(value).items() for word in _words(f"{name}.{inner}", one)]
    return [f"dataset.{name}={'null' if value is None else value}"]


def _recorded(run: Path) -> dict[str, Any]:
    """The count and the hash of each split; nothing where the folder has no record of them."""
    data = manifest.read(run).get("data")
    found = data.get("splits") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
