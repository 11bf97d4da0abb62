"""Look at every example once before the first step, so that no run dies of a bad file in its third hour."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tlx.config.dataset import Dataset, Limits
from tlx.config.errors import ConfigIssue, DataError
from tlx.data import remembered
from tlx.data.decoding import allowing, decode, over_pixels
from tlx.data.source import Indices, Source

_SHOWN = 20  # problems listed; the rest are counted
_Size = tuple[int, int, int]  # height, width, channels


def check(source: Source, splits: dict[str, Indices], config: Dataset, fingerprint: str) -> dict[str, Indices]:
    """The splits without unreadable examples (``on_bad=skip``), or :class:`DataError` naming each (``error``).

    Sound examples are remembered under the data set's fingerprint and not read again. The sizes of images are put into
    ``source.sizes``.
    """
    used = _used(splits)
    splits = without(source, splits, config, _unreadable(source, used, config.limits, fingerprint))
    if problems := _labels(source, used):
        raise DataError(problems)
    return splits


def without(source: Source, splits: dict[str, Indices], config: Dataset, bad: Mapping[int, str]) -> dict[str, Indices]:
    """Refuse bad examples, or leave them out, as the configuration says.

    Args:
        source: Where they are from; what is left out is said in its notes.
        splits: Of the data, with the bad examples.
        config: Its ``on_bad`` decides.
        bad: Why, by the number of the example.

    Raises:
        DataError: They are refused, or too little is left without them.
    """
    if bad and config.on_bad == "error":
        problems = [ConfigIssue(source.origin(i), why) for i, why in list(bad.items())[:_SHOWN]]
        if len(bad) > _SHOWN:
            problems.append(ConfigIssue("...", f"and {len(bad) - _SHOWN} more"))
        problems.append(ConfigIssue("dataset.on_bad", "set it to skip to leave them out", "error"))
        raise DataError(problems)
    if bad:
        source.notes.append(
            f"{len(bad)} unreadable examples skipped: {', '.join(source.origin(i) for i in list(bad)[:3])}"
        )
        out = np.fromiter(bad, dtype=np.int64, count=len(bad))
        splits = {name: indices[~np.isin(indices, out)] for name, indices in splits.items()}
    if problems := _counts(source, splits):
        raise DataError(problems)
    return splits


def _used(splits: Mapping[str, Indices]) -> Indices:
    return np.unique(np.concatenate(list(splits.values())))


def _unreadable(source: Source, used: Indices, limits: Limits, fingerprint: str) -> dict[int, str]:
    if source.modality == "text":
        return {int(i): "empty text" for i in used if not str(source.inputs[i]).strip()}
    if isinstance(source.inputs, np.ndarray):
        return {}
    known = remembered.load("vetted", fingerprint, dict[str, list[int]]) or {}
    faults: dict[int, str] = {}
    fresh: dict[str, list[int]] = {}
    for i in used.tolist():
        name = _name(source, i)
        size = known.get(name)
        if size is None or len(size) != 3 or min(size) < 1:
            found = _look(source, i, limits)
            if isinstance(found, str):
                faults[i] = found
                continue
            size = fresh[name] = list(found)
        if fault := _fault(size, source, limits):
            faults[i] = fault
        source.sizes[i] = (size[0], size[1])
    if fresh and (obstacle := remembered.store("vetted", fingerprint, {**known, **fresh})):
        source.notes.append(f"that the images are sound is not remembered: {obstacle}")
    return faults


def _name(source: Source, i: int) -> str:
    """What an example is remembered under: its file, wherever it stands in the data set."""
    item = source.inputs[i] if isinstance(source.inputs, list) else None
    return str(item) if isinstance(item, (str, Path)) else source.origin(i)


def _look(source: Source, i: int, limits: Limits) -> _Size | str:
    """The size of an image, or why it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*[Tt]runcated.*")  # only a warning to some decoders
            warnings.filterwarnings("ignore", message="Palette images with Transparency.*")
            with allowing(limits):  # an image of the hub is decoded where it is asked for
                values = decode(source.inputs[i], limits)
    except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, ...
        return f"unreadable image: {type(error).__name__}: {error}"
    if 0 in values.shape:
        return "an image without pixels"
    if not _is_finite(values):
        return "holds NaN or infinity"
    return (values.shape[0], values.shape[1], 1 if values.ndim == 2 else values.shape[2])


def _is_finite(values: Any) -> bool:
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def _fault(size: list[int], source: Source, limits: Limits) -> str:
    """Why an image of this size is not of this data set, although it can be read."""
    height, width, channels = size
    if error := over_pixels(height, width, channels, limits):  # it was remembered under a higher limit
        return f"unreadable image: {type(error).__name__}: {error}"
    if channels != source.channels and {channels, source.channels} != {1, 3}:
        return f"has {channels} channels, the others have {source.channels}"
    return ""


def _counts(source: Source, splits: dict[str, Indices]) -> list[ConfigIssue]:
    problems = []
    for name, indices in splits.items():
        if len(indices) == 0:
            problems.append(ConfigIssue(f"dataset ({name})", "no examples are left"))
    if source.multilabel or problems:
        return problems
    for label in np.setdiff1d(np.arange(len(source.classes)), source.labels[splits["train"]].astype(int)):
        problems.append(ConfigIssue("dataset (train)", f"no example of class {source.classes[label]!r}"))
    if len(source.classes) < 2:
        problems.append(ConfigIssue("dataset", f"only one class: {source.classes}"))
    return problems


def _labels(source: Source, used: Indices) -> list[ConfigIssue]:
    labels = source.labels[used]
    if not np.isfinite(labels).all():
        return [ConfigIssue("dataset.label", "a label is not a number")]
    if not source.multilabel and (labels.min() < 0 or labels.max() >= len(source.classes)):
        return [ConfigIssue("dataset.label", f"a label is outside 0..{len(source.classes) - 1}")]
    return []
