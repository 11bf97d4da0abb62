"""What a model answers: a prediction, the probability of each class by name, the most likely ones; as rows, flat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tlx.columns import Label, Labels
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue

Answer = dict[str, Any]


def classes(schema: Schema) -> list[str] | None:
    """The classes that are predicted, in the order of the outputs; None where none are."""
    targets = [one for one in schema.targets.values() if isinstance(one, (Label, Labels))]
    return list(targets[0].classes) if len(targets) == 1 == len(schema.targets) else None


def of_records(records: Sequence[Mapping[str, Any]], schema: Schema) -> list[Answer]:
    """The records of a task without the examples' numbers, and with classes by name."""
    names = classes(schema)
    found = []
    for record in records:
        answer = {name: value for name, value in record.items() if name not in ("index", "label")}
        if names is not None and isinstance(answer.get("probabilities"), list):
            answer["probabilities"] = dict(zip(names, answer["probabilities"], strict=True))
        found.append(answer)
    return found


def check_top_k(top_k: int | None, names: Sequence[str] | None) -> None:
    """See that so many classes can be named; raises :class:`ConfigError`."""
    if top_k is None:
        return
    if names is None:
        raise ConfigError([ConfigIssue("top_k", "goes with classes; this model predicts none", top_k)])
    if isinstance(top_k, bool) or not isinstance(top_k, int) or not 1 <= top_k <= len(names):
        raise ConfigError([ConfigIssue("top_k", f"expected 1 to {len(names)}, as many as there are classes", top_k)])


def with_top_k(answer: Answer, top_k: int | None) -> Answer:
    """The same with the classes of the highest probabilities as (class, probability), the highest first.

    Raises:
        ConfigError: The task gives no probabilities of classes.
    """
    if top_k is None:
        return answer
    found = answer.get("probabilities")
    if not isinstance(found, dict):
        message = "goes with probabilities; this model's task gives none, so leave it out"
        raise ConfigError([ConfigIssue("top_k", message, top_k)])
    ranked = sorted(found.items(), key=lambda pair: -pair[1])  # of equal ones the first
    return {**answer, "top_k": ranked[:top_k]}


def stacked(found: list[Any]) -> Any:
    """Features for a list: one tensor where they have one shape."""
    import torch

    return torch.stack(found) if len({tuple(one.shape) for one in found}) == 1 else found


def flat(answer: Answer) -> dict[str, Any]:
    """An answer as the cells of a row: ``prediction``, ``probability/<class>``, ``top/1``, ``top/1/probability``."""
    cells: dict[str, Any] = {}
    for name, value in answer.items():
        if name == "probabilities" and isinstance(value, dict):
            cells |= {f"probability/{one}": p for one, p in value.items()}
        elif name == "top_k":
            for place, (one, p) in enumerate(value, start=1):
                cells |= {f"top/{place}": one, f"top/{place}/probability": p}
        elif isinstance(value, dict):
            cells |= {f"{name}/{one}": part for one, part in value.items()}
        else:
            cells[name] = value
    return cells


def frame(found: list[Any], index: Any) -> Any:
    """Answers, or features, as a DataFrame."""
    import pandas as pd

    if found and not isinstance(found[0], dict):
        found = [{f"feature_{i}": value for i, value in enumerate(one.flatten().tolist())} for one in found]
        return pd.DataFrame(found, index=index)
    return pd.DataFrame([flat(one) for one in found], index=index)
