"""What a served model takes and gives: for people, and as MLflow's signature."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tlx.columns import Category, Column, Image, Number, Text
from tlx.columns import image_numbers as numbers
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec
from tlx.prediction.answers import Answer
from tlx.prediction.model import Model


def takes(model: Model) -> list[dict[str, Any]]:
    """Each input column: its name, its kind, and how it is sent."""
    return [{"name": name, "kind": column.kind, **_sent(column)} for name, column in model.inputs.items()]


def _sent(column: Column) -> dict[str, Any]:
    if isinstance(column, Image):
        if unfit := numbers.unserved(column):
            return {"sent": f"nothing: {unfit}"}
        axes = numbers.axes(column)
        lists = f"nested lists {''.join(f'[{axis}]' for axis in axes)}"
        form: dict[str, Any] = {"layout": f"[{', '.join(axes)}]", "dtype": numbers.values(column)}
        if column.bands:
            form["bands"] = list(column.bands)
        ways = ["a file in base64"] if numbers.is_file(column) else []
        ways += [] if numbers.refusal(column) else [lists]
        return {"sent": ", or ".join(ways), **form}
    if isinstance(column, Category):
        return {"sent": "a word; others than those of train count as none of them"}
    return {"sent": "a finite number" if isinstance(column, Number) else "a text"}


def signature(model: Model) -> Any:
    """MLflow's signature: a column has one type to it, so pictures of grey or colours are files in base64.

    What the model gives is what it answers for an input of zeros.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    def of(column: Column) -> Any:
        if isinstance(column, Image) and not numbers.is_file(column):
            return AnyType()  # an array of doubles would take no whole numbers
        return DataType.double if isinstance(column, Number) else DataType.string

    answers = [ColSpec(_type(value), name) for name, value in _answer(model).items()]
    return ModelSignature(Schema([ColSpec(of(column), name) for name, column in model.inputs.items()]), Schema(answers))


def black(model: Model, name: str, column: Image, spec: ImageSpec) -> Any:
    """A black picture as the network reads it, whatever files of its column hold."""
    pixels = np.zeros((spec.height, spec.width, column.channels), dtype=np.uint8)
    return column.prepare(pixels, model.reading(name))


def _answer(model: Model) -> Answer:
    """What it says of a black picture, a text of one token, the number 0 and no word."""
    row: dict[str, Any] = {}
    for name, column in model.inputs.items():
        spec = model.specs.get(name)
        if isinstance(spec, ImageSpec):
            assert isinstance(column, Image)
            row[name] = black(model, name, column, spec)
        else:
            row[name] = [1] if isinstance(column, Text) else column.prepare(0, model.reading(name))
    return model.answer(Batch(torch.arange(1), model.collate([row])))[0]


def _type(value: Any) -> Any:
    """MLflow's type of a part of an answer."""
    from mlflow.types import DataType
    from mlflow.types.schema import AnyType, Array, Map

    if isinstance(value, dict):
        return Map(_type(next(iter(value.values()), "")))
    if isinstance(value, list):  # of none: names of classes, of which no one is there
        return Array(_type(value[0] if value else ""))
    kinds = {str: DataType.string, bool: DataType.boolean, int: DataType.long, float: DataType.double}
    return kinds.get(type(value), AnyType())
