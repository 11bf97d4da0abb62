"""A task of one's own need not speak of classes: its answers are served, and promised, as they are."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.serving.conftest import Exported
from tlx.config.errors import ConfigError
from tlx.prediction.model import Model
from tlx.serving import bundle, limits, signature
from tlx.serving.answers import Answerer
from tlx.serving.inputs import InvalidInput


def row() -> dict[str, Any]:
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "PNG")
    return {"image": base64.b64encode(stream.getvalue()).decode()}


def saying(exported: Exported, monkeypatch: pytest.MonkeyPatch, record: dict[str, Any]) -> Model:
    """A model whose task says the same of every example."""
    model = bundle.read(exported.bundle)
    monkeypatch.setattr(model.task, "predict", lambda network, batch: [{"index": 0, **record}] * len(batch))
    return model


@pytest.mark.parametrize(
    ("record", "types"),
    [
        ({"prediction": "robin"}, ["string"]),
        ({"prediction": "robin", "score": 0.5, "rank": 3}, ["string", "double", "long"]),
        ({"prediction": ["robin", "wren"], "where": [[0.5, 1.0]]}, ["Array(string)", "Array(Array(double))"]),
        ({"prediction": {"x": 1.0}, "note": None}, ["Map(str -> DataType.double)", "Any"]),
    ],
)
def test_what_it_says_is_served(
    pictures: Exported, monkeypatch: pytest.MonkeyPatch, record: dict[str, Any], types: list[str]
) -> None:
    model = saying(pictures, monkeypatch, record)
    assert Answerer(model, limits.settled()).answer([row()]) == [record]
    promised = signature.signature(model).outputs.inputs
    assert [one.name for one in promised] == list(record)
    found = [getattr(one.type, "name", None) or repr(one.type) for one in promised]
    assert [name.replace("AnyType()", "Any") for name in found] == types
    with pytest.raises(ConfigError, match="gives none"):
        model.predict(np.zeros((8, 8), np.uint8), top_k=1)


@pytest.mark.parametrize("record", [{"prediction": "a", "score": math.nan}, {"prediction": [1.0, {"x": math.inf}]}])
def test_numbers_are_numbers(pictures: Exported, monkeypatch: pytest.MonkeyPatch, record: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="gives no number"):
        Answerer(saying(pictures, monkeypatch, record), limits.settled()).answer([row()])


def test_classes_come_with_probabilities(pictures: Exported) -> None:
    """The signature of the task of tlx's own."""
    promised = signature.signature(bundle.read(pictures.bundle)).outputs.inputs
    assert [one.name for one in promised] == ["prediction", "probabilities"]
    assert promised[0].type.name == "string"
