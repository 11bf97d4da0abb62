"""Classification: texts are padded and masked, images stacked, and predictions are plain records."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.tasks.conftest import TARGET, Given, batch_of, drawn, schema, task
from tlx.backbones.backbone import Backbone
from tlx.columns import Image, Label, Labels, Reading, Text
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.tasks.network import Network
from tlx.tasks.protocol import StepOutput

IMAGES = ImageSpec(1, 3, 4, (0.0,), (1.0,))


class Flat(nn.Module):
    """A backbone that takes images, and nothing else of a batch."""

    def forward(self, x: Tensor) -> Tensor:
        """[batch, ...] to [batch, width]."""
        return x.flatten(1)


def flat() -> Backbone:
    return Backbone(Flat(), 12, takes={"x": IMAGES})


def test_texts_are_padded_to_the_longest_and_masked() -> None:
    ids = [[5, 0, 7], [1], [2, 3]]
    inputs = Text("words").collate(ids, Reading(TextSpec(None, 32, pad_id=9)))
    assert inputs.keys() == {"input_ids", "attention_mask"}
    assert inputs["input_ids"].tolist() == [[5, 0, 7], [1, 9, 9], [2, 3, 9]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert inputs["input_ids"].dtype == inputs["attention_mask"].dtype == torch.int64
    labels = Label(TARGET, classes=("a", "b", "c")).collate(np.arange(3), Reading())
    assert labels.tolist() == [0, 1, 2]


def test_images_are_stacked_and_reach_the_backbone_alone() -> None:
    images = torch.arange(24.0).reshape(2, 1, 3, 4)
    labels = np.array([[0.0, 1, 0, 1], [1, 0, 0, 0]], dtype=np.float32)
    one = schema(multilabel=True)
    inputs: dict[str, Any] = {
        "picture": Image("picture").collate(list(images), Reading(IMAGES)),
        "other": torch.ones(2),
    }
    assert torch.equal(inputs["picture"], images)
    assert torch.equal(Labels(TARGET).collate(labels, Reading()), torch.from_numpy(labels))
    model = Network(flat(), one, 4)
    assert torch.equal(model.features(inputs), images.flatten(1))
    assert torch.equal(model(inputs), model.head(images.flatten(1)))


def test_the_head_has_an_output_for_each_class() -> None:
    model = task().build(flat(), schema())
    assert model({"picture": torch.ones(1, 1, 3, 4)}).shape == (1, 4)


def test_predictions_are_plain_records() -> None:
    batch = batch_of(torch.tensor([[0.0, 1, 4, 2]]), {TARGET: torch.tensor([1])})
    batch.index[0] = 7
    (record,) = task().predict(Given(), batch)
    assert json.loads(json.dumps(record)) == record
    probabilities = record.pop("probabilities")
    assert record == {"index": 7, "label": "dog", "prediction": "owl"}
    scores = [math.exp(x) for x in (0, 1, 4, 2)]
    assert probabilities == pytest.approx([score / sum(scores) for score in scores], abs=1e-6)


def test_what_a_step_gave_spares_predictions_a_forward() -> None:
    class Never(nn.Module):
        def forward(self, inputs: Mapping[str, Any]) -> Tensor:
            raise AssertionError("a second forward")

    one, batch = task(), drawn(multilabel=False)
    out: StepOutput = one.eval_step(Given(), batch, one.metrics())
    assert one.predict(Never(), batch, out) == one.predict(Given(), batch)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_predictions_of_several_labels(dtype: torch.dtype) -> None:
    logits = torch.tensor([[2.0, -1, 0, 1], [-1, -2, -3, -4]], dtype=dtype)
    batch = batch_of(logits, {TARGET: torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0]])})
    batch.index.add_(3)
    first, second = task(multilabel=True).predict(Given(), batch)
    assert (first["index"], first["label"], first["prediction"]) == (3, ["cat", "owl"], ["cat", "yak"])
    assert (second["label"], second["prediction"]) == ([], [])
    expected = [1 / (1 + math.exp(-x)) for x in (2, -1, 0, 1)]
    assert first["probabilities"] == pytest.approx(expected, abs=1e-6)


def test_predictions_without_targets_have_no_label() -> None:
    (record,) = task().predict(Given(), batch_of(torch.tensor([[0.0, 1, 4, 2]]), {}))
    assert set(record) == {"index", "prediction", "probabilities"}
    assert record["prediction"] == "owl"
