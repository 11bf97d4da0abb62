"""``tlx.dataset_from``: arrays, images, texts and tables of a Python program as a data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from tlx.api.typed_values import canonical, is_image, kind_of
from tlx.composition.words import CHOICE
from tlx.config.dataset import Column
from tlx.config.errors import ConfigError, ConfigIssue, DataError, suggest
from tlx.data.sources import objects
from tlx.data.sources.objects import SPLITS, Given

_SHOWN = 20  # problems listed; the rest are counted
_TYPES = ("text", "image", "label", "labels", "number", "category")
_ROLES = (None, "input", "target", "group", "time", "weight", "id")


class GivenDataset(dict[str, Any]):
    """The settings that choose a data set: what ``dataset=`` takes, alone or with more, ``data | {"shots": 5}``."""

    def __init__(self, settings: Mapping[str, Any], summary: str) -> None:
        super().__init__(settings)
        self._summary = summary

    def __repr__(self) -> str:
        return f"<dataset {self['name']}: {self._summary}; {self['content'][:12]}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self)[1:-1])}</p>"


def dataset_from(
    data: Any = None,
    labels: Any = None,
    *,
    label: str = "label",
    columns: Mapping[str, Any] | Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    train: Any = None,
    val: Any = None,
    test: Any = None,
    name: str = "objects",
) -> GivenDataset:
    """Make a data set of what a program holds. It is kept in the cache, under a hash of its content.

    Args:
        data: Images (arrays [h, w] or [h, w, c] of 0..255, pictures of PIL's, paths), texts, rows of numbers
            [examples, numbers], a DataFrame, or lists by the names of columns.
        labels: Of each example; where ``data`` has columns, they may be one of them.
        label: The column of labels.
        columns: A list: those that are read, where it is not all. Or the types of some of them, or type and role:
            ``{"age": "number", "patient": {"type": "category", "role": "group"}}``. Types are inferred where none is
            given: numbers where every cell is one, texts where cells have three words or more on average, else
            categories; labels that are floats are numbers to be predicted where they have fractions, or are many.
        splits: ``train``, ``val`` or ``test`` of each example; what is not there is cut from train.
        train, val, test: Data by their splits in place of ``data``: as ``data``, or pairs of data and labels.
        name: What runs are called by.

    Raises:
        ConfigError: The parts do not fit together.
        DataError: It names the values that cannot be read.

    Example:
        >>> data = tlx.dataset_from(images, labels)
        >>> tlx.train("backbone=resnet18 strategy=fine_tune", dataset=data)
    """
    parts = _parts(data, labels, label, {"train": train, "val": val, "test": test})
    rows, words = _joined(parts)
    if splits is not None:
        if words is not None:
            raise ConfigError([ConfigIssue("splits", "is said twice: leave it out, or give data in place of train")])
        words = _checked(splits, len(next(iter(rows.values()))))
    inputs = data if data is not None else _pair(train)[0]
    typed = _typed(rows, columns, label, {} if _is_table(inputs) else {"text": "text"})
    given = Given(typed, _canonical(rows, typed, name), words)
    kinds = {one.type for one in typed.values() if one.role == "input"}
    modality = next((kind for kind in ("image", "text") if kind in kinds), "table")
    settings = {CHOICE: "objects", "content": objects.write(given), "name": name, "modality": modality}
    return GivenDataset(settings, _summary(given))


def _parts(data: Any, labels: Any, label: str, named: Mapping[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """The columns of each split; one without a name is all of the data."""
    if data is not None and named["train"] is not None:
        raise ConfigError([ConfigIssue("train", "is said twice: data is what trains where there are other splits")])
    if labels is not None and data is None:
        raise ConfigError([ConfigIssue("labels", "belong to data; beside train=, give a pair: train=(images, labels)")])
    given = {split: _pair(part) for split, part in named.items() if part is not None}
    if data is not None:
        given = {"train" if given else "": (data, labels), **given}
    if not given or not {"", "train"} & set(given):
        raise ConfigError([ConfigIssue("data", "expected data and labels, or train=(data, labels)")])
    return {split: _columns(inputs, targets, label, split) for split, (inputs, targets) in given.items()}


def _pair(part: Any) -> tuple[Any, Any]:
    return part if isinstance(part, tuple) and len(part) == 2 else (part, None)


def _columns(inputs: Any, targets: Any, label: str, split: str) -> dict[str, list[Any]]:
    """Lists of values by the names of columns."""
    where = split or "data"
    if _is_table(inputs):
        names = inputs if isinstance(inputs, Mapping) else inputs.columns
        found = {str(name): _list(inputs[name], where) for name in names}
    elif targets is None:
        message = "come without labels; give dataset_from(data, labels), or a table that has a column of them"
        raise ConfigError([ConfigIssue(where, message)])
    else:
        found = _unnamed(inputs, where)
    if targets is not None:
        if label in found:
            raise ConfigError([ConfigIssue("labels", f"the data have a column {label!r} already; give one of them")])
        found[label] = _list(targets, "labels")
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        shown = ", ".join(f"{name}: {count:,}" for name, count in lengths.items()) or "nothing"
        raise ConfigError([ConfigIssue(where, f"expected as many values in each column, and some, found {shown}")])
    return found


def _is_table(inputs: Any) -> bool:
    """Has it columns with names: lists of them, or a DataFrame?"""
    return isinstance(inputs, Mapping) or (hasattr(inputs, "columns") and hasattr(inputs, "to_dict"))


def _unnamed(inputs: Any, where: str) -> dict[str, list[Any]]:
    """Images, texts, or rows of numbers, under names of their own."""
    if len(getattr(inputs, "shape", ())) == 2:
        return {f"x{i}": list(column) for i, column in enumerate(np.asarray(inputs).T)}
    values = _list(inputs, where)
    first = next(iter(values), None)
    return {"image" if is_image(first) else "text" if isinstance(first, str) else "x": values}


def _list(values: Any, where: str) -> list[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise ConfigError([ConfigIssue(where, f"expected a value for each example, not a {type(values).__name__}")])
    return list(values)


def _joined(parts: Mapping[str, Mapping[str, list[Any]]]) -> tuple[dict[str, list[Any]], list[str] | None]:
    """All splits below each other, and the split of each example."""
    first = next(iter(parts.values()))
    problems = [
        ConfigIssue(split, f"expected the columns of train ({', '.join(first)}), found {', '.join(part)}")
        for split, part in parts.items()
        if set(part) != set(first)
    ]
    if problems:
        raise ConfigError(problems)
    rows = {name: [value for part in parts.values() for value in part[name]] for name in first}
    if "" in parts:
        return rows, None
    return rows, [split for split, part in parts.items() for _ in next(iter(part.values()))]


def _checked(splits: Sequence[str], count: int) -> list[str]:
    words = [str(one) for one in splits]
    wrong = sorted(set(words) - set(SPLITS))
    problems = [ConfigIssue("splits", f"expected {', '.join(SPLITS)}{suggest(one, SPLITS)}", one) for one in wrong]
    if len(words) != count:
        problems.append(ConfigIssue("splits", f"expected one for each of {count:,} examples, found {len(words):,}"))
    if "train" not in words:
        problems.append(ConfigIssue("splits", "no example is of train"))
    if problems:
        raise ConfigError(problems)
    return words


def _typed(rows: Mapping[str, list[Any]], given: Any, label: str, known: Mapping[str, str]) -> dict[str, Column]:
    """The type and role of each column that is read; ``known`` are types that go without saying."""
    if isinstance(given, str) or not (given is None or isinstance(given, (Mapping, Sequence))):
        raise ConfigError([ConfigIssue("columns", "expected names, or the type of each name", given)])
    asked = dict.fromkeys(rows) | dict(given) if isinstance(given, Mapping) else dict.fromkeys(given or rows)
    if not any(isinstance(one, Mapping) and one.get("role") == "target" for one in asked.values()):
        asked.setdefault(label, None)
    found: dict[str, Column] = {}
    problems: list[ConfigIssue] = []
    for name, said in asked.items():
        key = "label" if name == label else f"columns.{name}"
        if name not in rows:
            hint = suggest(str(name), rows) or f"; there are {', '.join(rows)}"
            problems.append(ConfigIssue(key, f"no such column{hint}", name))
            continue
        settings = dict(said) if isinstance(said, Mapping) else {"type": said} if said is not None else {}
        role = settings.pop("role", None) or ("target" if name == label else None)
        kind = settings.pop("type", None) or known.get(name) or kind_of(rows[name], role == "target")
        role = role or ("target" if kind in ("label", "labels") else "input")
        for what, value, allowed in (("type", kind, _TYPES), ("role", role, _ROLES)):
            if value not in allowed:
                words = [one for one in allowed if one]
                problems.append(ConfigIssue(key, f"no {what}{suggest(str(value), words)}; {', '.join(words)}", value))
        problems += [ConfigIssue(key, "expected type and role", extra) for extra in settings]
        found[str(name)] = Column(type=str(kind), role=str(role))
    if problems:
        raise ConfigError(problems)
    return found


def _canonical(rows: Mapping[str, list[Any]], typed: Mapping[str, Column], name: str) -> dict[str, list[Any]]:
    """Every value as it is kept; raises :class:`DataError`."""
    kept: dict[str, list[Any]] = {}
    problems: list[ConfigIssue] = []
    for column, one in typed.items():
        found = [canonical(value, one.type) for value in rows[column]]
        problems += [ConfigIssue(f"{name}[{i}].{column}", fault) for i, (_, fault) in enumerate(found) if fault]
        kept[column] = [value for value, _ in found]
        if one.type == "image" and not problems and max(float(image.max()) for image in kept[column]) <= 1:
            message = "no pixel of any image is above 1, and they are read as 0..255; multiply them by 255"
            problems.append(ConfigIssue(column, message))
    if problems:
        more = [ConfigIssue("...", f"and {len(problems) - _SHOWN:,} more")] if len(problems) > _SHOWN else []
        raise DataError([*problems[:_SHOWN], *more])
    return kept


def _summary(given: Given) -> str:
    columns = ", ".join(f"{name} ({one.type})" for name, one in sorted(given.columns.items()))
    counts = [f"{given.splits.count(split):,} {split}" for split in SPLITS] if given.splits is not None else []
    return f"{', '.join(counts) or f'{len(given):,} examples'}; {columns}"
