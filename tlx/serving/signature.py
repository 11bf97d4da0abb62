"""What a served model takes and gives: for people, and as MLflow's signature."""

from __future__ import annotations

from typing import Any

from tlx.columns import Category, Column, Image, Labels, Number
from tlx.prediction.model import Model

_COLOURS = (1, 3)  # channels that files of pictures have


def takes(model: Model) -> list[dict[str, Any]]:
    """Each input column: its name, its kind, and how it is sent."""
    return [{"name": name, "kind": column.kind, **_sent(column)} for name, column in model.inputs.items()]


def _sent(column: Column) -> dict[str, Any]:
    if isinstance(column, Image):
        lists = "nested lists [h][w]" + (f"[{column.channels}]" if column.channels > 1 else "")
        form = {"layout": f"[h, w, {column.channels}]", "dtype": "numbers in 0..255"}
        return {"sent": f"a file in base64, or {lists}" if column.channels in _COLOURS else lists, **form}
    if isinstance(column, Category):
        return {"sent": "a word; others than those of train count as none of them"}
    return {"sent": "a finite number" if isinstance(column, Number) else "a text"}


def signature(model: Model) -> Any:
    """MLflow's signature: a column has one type to it, so pictures of grey or colours are files in base64."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType, Array, Map

    def of(column: Column) -> Any:
        if isinstance(column, Image) and column.channels not in _COLOURS:
            return AnyType()  # an array of doubles would take no whole numbers
        return DataType.double if isinstance(column, Number) else DataType.string

    targets = list(model.schema.targets.values())
    if isinstance(targets[0], Number):
        several: Any = Map(DataType.double) if len(targets) > 1 else DataType.double
        answers = [ColSpec(several, "prediction")]
    else:
        kind: Any = Array(DataType.string) if isinstance(targets[0], Labels) else DataType.string
        answers = [ColSpec(kind, "prediction"), ColSpec(Map(DataType.double), "probabilities")]
    return ModelSignature(Schema([ColSpec(of(column), name) for name, column in model.inputs.items()]), Schema(answers))
