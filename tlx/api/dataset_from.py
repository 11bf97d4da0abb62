"""``tlx.dataset_from``: arrays, images, texts and tables of a Python program as a data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from tlx.api.label_lists import label_lists
from tlx.api.typed_values import canonical, is_image, kind_of
from tlx.composition.words import CHOICE
from tlx.config.dataset_parts import Column
from tlx.config.errors import ConfigError, ConfigIssue, DataError, suggest
from tlx.data.sources import objects
from tlx.data.sources.objects import SPLITS, Given
from tlx.files.printable import printable

_SHOWN = 20  # problems listed; the rest are counted
_NAMES = 5  # of labels, in the summary
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
            [examples, numbers], a DataFrame, or lists by the names of columns. Of a picture the frame is kept that it
            stands at, what is transparent over black.
        labels: Of each example; where ``data`` has columns, they may be one of them. Several labels of an example are
            a list of names, a mapping from names to true, false or None for unknown, or a row of indicators, 0, 1 or
            NaN (or -1) for unknown: an array [examples, classes], whose classes are "0", "1", ..., or a DataFrame.
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
        found[label] = _labels(targets)
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
        return {f"x{i}": list(column) for i, column in enumerate(np.asarray(_on_cpu(inputs)).T)}
    values = _list(inputs, where)
    first = next(iter(values), None)
    return {"image" if is_image(first) else "text" if isinstance(first, str) else "x": values}


def _labels(targets: Any) -> list[Any]:
    """The labels of each example; those of a DataFrame by its columns."""
    if _is_table(targets) and not isinstance(targets, Mapping):
        names = [str(name) for name in targets.columns]
        if len(names) == 1:
            message = "a DataFrame has several labels, a column for each; of one column give the column itself"
            raise ConfigError([ConfigIssue("labels", message, f"a DataFrame of the column {names[0]!r}")])
        if len(set(names)) < len(names):
            raise ConfigError([ConfigIssue("labels", "expected columns of different names", ", ".join(names))])
        columns = [_list(targets[name], "labels") for name in targets.columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if hasattr(targets, "toarray"):  # of SciPy: MultiLabelBinarizer(sparse_output=True)
        targets = targets.toarray()
    return _list(targets, "labels")


def _list(values: Any, where: str) -> list[Any]:
    values = _plain(values)
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise ConfigError([ConfigIssue(where, f"expected a value for each example, not a {type(values).__name__}")])
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    """A number or a list in place of an array, a tensor or a Series of less than two dimensions."""
    if not hasattr(value, "__array__") or isinstance(value, Image.Image):
        return value
    value = _on_cpu(value)
    if len(getattr(value, "shape", ())) > 1:
        return value
    return value.tolist() if hasattr(value, "tolist") else np.asarray(value).tolist()


def _on_cpu(value: Any) -> Any:
    """A tensor without its gradient, on the CPU; others as they are."""
    return value.detach().cpu() if hasattr(value, "detach") else value


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
        if _unwritten(str(name)):
            problems.append(ConfigIssue(key, "expected a name of Unicode text", ascii(name)))
            continue
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
        if one.type == "labels":
            kept[column], faults = label_lists(rows[column])
        else:
            found = [canonical(value, one.type) for value in rows[column]]
            kept[column] = [value for value, _ in found]
            faults = [(i, fault) for i, (_, fault) in enumerate(found) if fault]
        if one.type not in ("image", "number"):
            unwritten = ((i, _unwritten(value)) for i, value in enumerate(kept[column]))
            faults += [(i, f"holds {text!r:.40}, which is no Unicode text") for i, text in unwritten if text]
        problems += [ConfigIssue(f"{name}[{i}].{column}", fault) for i, fault in faults]
        if one.type == "image" and not problems and max(float(image.max()) for image in kept[column]) <= 1:
            message = "no pixel of any image is above 1, and they are read as 0..255; multiply them by 255"
            problems.append(ConfigIssue(column, message))
    if problems:
        more = [ConfigIssue("...", f"and {len(problems) - _SHOWN:,} more")] if len(problems) > _SHOWN else []
        raise DataError([*problems[:_SHOWN], *more])
    return kept


def _unwritten(value: Any) -> str:
    """What cannot be written as UTF-8, of a text or of names: half of a surrogate pair; else empty."""
    texts = (value,) if isinstance(value, str) else value or ()
    return next((text for text in texts if any("\ud800" <= letter <= "\udfff" for letter in text)), "")


def _described(name: str, kind: str, values: Sequence[Any]) -> str:
    if kind != "labels":
        return f"{name} ({kind})"
    names = sorted({one for value in values for one in value})
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{name} (labels: {', '.join(map(printable, names[:_NAMES]))}{more})"


def _summary(given: Given) -> str:
    columns = ", ".join(_described(name, one.type, given.values[name]) for name, one in sorted(given.columns.items()))
    counts = [f"{given.splits.count(split):,} {split}" for split in SPLITS] if given.splits is not None else []
    return f"{', '.join(counts) or f'{len(given):,} examples'}; {columns}"
