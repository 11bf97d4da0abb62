"""Look at every example once before the first step, so that no run dies of a bad file in its third hour."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np

from tlx.config.cache import cache_folder
from tlx.config.errors import DataError, Problem
from tlx.data.images import decode
from tlx.data.options import Dataset
from tlx.data.source import Indices, Source

_SHOWN = 20  # problems listed; the rest are counted


def check(source: Source, splits: dict[str, Indices], config: Dataset, fingerprint: str) -> dict[str, Indices]:
    """The splits without unreadable examples (``on_bad=skip``), or :class:`DataError` naming each (``error``).

    Sound examples are remembered under the data set's fingerprint and not read again.
    """
    used = np.unique(np.concatenate(list(splits.values())))
    bad = _unreadable(source, used, fingerprint)
    if bad and config.on_bad == "error":
        problems = [Problem(source.origin(i), why) for i, why in list(bad.items())[:_SHOWN]]
        if len(bad) > _SHOWN:
            problems.append(Problem("...", f"and {len(bad) - _SHOWN} more"))
        problems.append(Problem("dataset.on_bad", "set it to skip to leave them out", "error"))
        raise DataError(problems)
    if bad:
        source.notes.append(
            f"{len(bad)} unreadable examples skipped: {', '.join(source.origin(i) for i in list(bad)[:3])}"
        )
        splits = {name: indices[~np.isin(indices, list(bad))] for name, indices in splits.items()}
    problems = [*_counts(source, splits), *_labels(source, used)]
    if problems:
        raise DataError(problems)
    return splits


def _unreadable(source: Source, used: Indices, fingerprint: str) -> dict[int, str]:
    if source.modality == "text":
        return {int(i): "empty text" for i in used if not str(source.inputs[i]).strip()}
    if isinstance(source.inputs, np.ndarray):
        return {}
    known = cache_folder("vetted") / f"{fingerprint}.json"
    sound = _remembered(known)
    names = {
        int(i): f"{source.origin(int(i))}|{source.inputs[int(i)] if _is_path(source, int(i)) else ''}" for i in used
    }
    faults = {i: _fault(source, i) for i, name in names.items() if name not in sound}
    fresh = {names[i] for i, why in faults.items() if why is None}
    if fresh:
        partial = known.with_suffix(f".{os.getpid()}.json")
        partial.write_text(json.dumps(sorted(sound | fresh)), encoding="utf-8")
        partial.replace(known)
    return {i: why for i, why in faults.items() if why is not None}


def _is_path(source: Source, i: int) -> bool:
    return isinstance(source.inputs, list) and isinstance(source.inputs[i], (str, Path))


def _remembered(file: Path) -> set[str]:
    """The examples of this data set that were sound before; the others are looked at again."""
    if not file.is_file():
        return set()
    try:
        return set(json.loads(file.read_text(encoding="utf-8")))
    except ValueError:  # torn by a crash
        return set()


def _fault(source: Source, i: int) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*[Tt]runcated.*")  # only a warning to some decoders
            warnings.filterwarnings("ignore", message="Palette images with Transparency.*")
            values = decode(source.inputs[i])
    except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, ...
        return f"unreadable image: {type(error).__name__}: {error}"
    if 0 in values.shape:
        return "an image without pixels"
    if not np.isfinite(values).all():
        return "holds NaN or infinity"
    have = 1 if values.ndim == 2 else values.shape[2]
    if have != source.channels and {have, source.channels} != {1, 3}:
        return f"has {have} channels, the others have {source.channels}"
    return None


def _counts(source: Source, splits: dict[str, Indices]) -> list[Problem]:
    problems = []
    for name, indices in splits.items():
        if len(indices) == 0:
            problems.append(Problem(f"dataset ({name})", "no examples are left"))
    if source.multilabel or problems:
        return problems
    for label in np.setdiff1d(np.arange(len(source.classes)), source.labels[splits["train"]].astype(int)):
        problems.append(Problem("dataset (train)", f"no example of class {source.classes[label]!r}"))
    if len(source.classes) < 2:
        problems.append(Problem("dataset", f"only one class: {source.classes}"))
    return problems


def _labels(source: Source, used: Indices) -> list[Problem]:
    labels = source.labels[used]
    if not np.isfinite(labels).all():
        return [Problem("dataset.label", "a label is not a number")]
    if not source.multilabel and (labels.min() < 0 or labels.max() >= len(source.classes)):
        return [Problem("dataset.label", f"a label is outside 0..{len(source.classes) - 1}")]
    return []
