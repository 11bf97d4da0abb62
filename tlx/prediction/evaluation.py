"""The record of an evaluation: a folder of its own, in ``evaluated`` beside the run, known by what it measured."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tlx.components.parts import code, numerics
from tlx.config.cache import cache_root
from tlx.config.dataset import Dataset
from tlx.config.identity import identity_fields
from tlx.config.schema import Trial
from tlx.files import durable, foreign
from tlx.files.checksum import with_checksum, without_checksum
from tlx.files.content_hash import content_hash
from tlx.runs import layout
from tlx.runs.describe import described
from tlx.runs.folder import RunFolder
from tlx.runs.metric import Metric
from tlx.runs.result import read_result
from tlx.tracking.run_copies import FOLDER as COPIES

KIND, FOLDER = "evaluation", "evaluated"
SPLITS = ("test", "val", "train", "all")
_FORMAT = 1
_SHORT = 12  # digits of an identity in a folder's name


@dataclass(frozen=True)
class Evaluation:
    """What is in ``evaluation.json``."""

    identity: str
    run: dict[str, str]  # folder, name, identity, and the hash of the weights
    data: dict[str, str]  # name, kind, fingerprint and split
    metrics: dict[str, float | None]  # as <split>/<name>
    primary: Metric
    counts: dict[str, int]  # examples, skipped, left_out
    unknown: dict[str, int] = field(default_factory=dict)  # examples of each class that the model does not know
    notes: list[str] = field(default_factory=list)
    kind: str = KIND
    format: int = _FORMAT


@dataclass(frozen=True)
class Place:
    """Where an evaluation lies, and what it is of."""

    folder: RunFolder
    run: dict[str, str]
    data: dict[str, str]

    def finished(self) -> Evaluation | None:
        """What was measured already; a record that is not what was written counts as none."""
        try:
            found = without_checksum(foreign.text(self.folder.path / layout.EVALUATION))
        except (FileNotFoundError, foreign.Unreadable):
            return None
        if found is None or not foreign.conforms(found, Evaluation) or found["format"] != _FORMAT:
            return None
        is_whole = found["identity"] == self.folder.identity and (self.folder.path / layout.PREDICTIONS).is_file()
        return Evaluation(**{**found, "primary": Metric(**found["primary"])}) if is_whole else None

    def write(self, found: Evaluation) -> None:
        """Record it, the last of all files: from now on it is finished."""
        text = json.dumps(asdict(found), indent=2, ensure_ascii=False)
        durable.write(self.folder.path / layout.EVALUATION, with_checksum(text))


def place(run: Path, trial: Trial, config: Dataset, fingerprint: str, split: str) -> Place:
    """Where the evaluation of a run on data lies.

    A function of the weights, the data, how they are read, the split, and the code of today that does it: that of
    plugins, and the numerics versions of all parts.

    Args:
        run: The folder of a finished trial.
        trial: Its configuration.
        config: Of the data.
        fingerprint: Of the data.
        split: Of the data.
    """
    result = read_result(run)
    weights = content_hash(run / layout.CHECKPOINT)
    measured = replace(trial, dataset=config)
    canon = {
        "format": _FORMAT,
        "run": result.identity,
        "weights": weights,
        "data": fingerprint,
        "config": identity_fields(config, neutral=False),
        "split": split,
        "code": code(measured),
        "numerics": numerics(measured),
    }
    key = hashlib.sha256(json.dumps(canon, sort_keys=True).encode()).hexdigest()[:16]
    named = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in Path(config.name).name)
    name = f"{result.name}-on-{named}-{split}"
    fingerprints = {"data": fingerprint, "weights": weights}
    return Place(
        RunFolder(_root(run) / FOLDER / f"{name}-{key[:_SHORT]}", key, name, fingerprints),
        {"folder": str(run), "name": result.name, "identity": result.identity, "weights": weights},
        {"name": config.name, "kind": config.kind, "fingerprint": fingerprint, "split": split},
    )


def _root(run: Path) -> Path:
    """The folder that the run lies in; the user's own for a copy in the cache, and where nothing can be written."""
    beside = run.absolute().parent
    there = beside / FOLDER if (beside / FOLDER).exists() else beside
    is_copy = beside.resolve() == (cache_root() / COPIES).resolve()
    return Path(Trial.output) if is_copy or not os.access(there, os.W_OK) else run.parent


def opening(trial: Trial, where: Place, metric: Metric, first: str) -> Mapping[str, Any]:
    """The first event of an evaluation's log: what MLflow is told of it, with the run that it is of.

    Args:
        trial: Of the run.
        where: The evaluation's place.
        metric: What models of its task are compared by.
        first: The MLflow run of the trial; empty where there is none.
    """
    found = described(trial, where.folder, metric)
    tags = {
        "tlx.kind": KIND,
        "tlx.split": where.data["split"],
        "tlx.evaluates": where.run["identity"],
        "tlx.evaluates_folder": where.run["folder"],
        "tlx.evaluates_run": first,
    }
    found["tags"] |= {name: value for name, value in tags.items() if value}
    found["params"] |= {"dataset.name": where.data["name"], "split": where.data["split"]}
    found["dataset"] = {"name": where.data["name"], "digest": where.data["fingerprint"]}
    return {**found, "name": where.folder.name}
