"""Classification: texts are padded and masked, images stacked, and predictions are plain records."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.tasks.conftest import Given, drawn, task
from tlx.backbones.backbone import Loaded
from tlx.backbones.input_spec import ImageSpec, TextSpec
from tlx.tasks.classification import Classifier
from tlx.tasks.protocol import Batch, StepOutput


class Flat(nn.Module):
    """A backbone that takes images, and nothing else of a batch."""

    def forward(self, x: Tensor) -> Tensor:
        """[batch, ...] to [batch, width]."""
        return x.flatten(1)


def test_texts_are_padded_to_the_longest_and_masked() -> None:
    one = task(modality="text")
    one.build(Loaded(nn.Identity(), 8, TextSpec(None, 32, pad_id=9)), one.info)
    ids = [[5, 0, 7], [1], [2, 3]]
    batch = one.collate([{"index": 10 + i, "y": torch.tensor(i), "input_ids": row} for i, row in enumerate(ids)])
    assert batch["index"].tolist() == [10, 11, 12]
    assert batch["y"].tolist() == [0, 1, 2]
    assert batch["input_ids"].tolist() == [[5, 0, 7], [1, 9, 9], [2, 3, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert batch["input_ids"].dtype == batch["attention_mask"].dtype == torch.int64


def test_images_are_stacked_and_reach_the_backbone_alone() -> None:
    images = torch.arange(24.0).reshape(2, 1, 3, 4)
    labels = torch.tensor([[0.0, 1, 0, 1], [1, 0, 0, 0]])
    batch = task(multilabel=True).collate([{"index": i, "y": labels[i], "x": images[i]} for i in range(2)])
    assert torch.equal(batch["x"], images)
    assert torch.equal(batch["y"], labels)
    model = Classifier(Flat(), 12, 4)
    assert torch.equal(model.features(batch), images.flatten(1))
    assert torch.equal(model(batch), model.head(images.flatten(1)))


def test_the_head_has_an_output_for_each_class() -> None:
    one = task()
    model = one.build(Loaded(Flat(), 12, ImageSpec(1, 3, 4, (0.0,), (1.0,))), one.info)
    assert model(one.collate([{"index": 0, "y": torch.tensor(1), "x": torch.ones(1, 3, 4)}])).shape == (1, 4)


def test_predictions_are_plain_records() -> None:
    batch = {"index": torch.tensor([7]), "y": torch.tensor([1]), "logits": torch.tensor([[0.0, 1, 4, 2]])}
    (record,) = task().predict(Given(), batch)
    assert json.loads(json.dumps(record)) == record
    probabilities = record.pop("probabilities")
    assert record == {"index": 7, "label": "dog", "prediction": "owl"}
    scores = [math.exp(x) for x in (0, 1, 4, 2)]
    assert probabilities == pytest.approx([score / sum(scores) for score in scores], abs=1e-6)


def test_what_a_step_gave_spares_predictions_a_forward() -> None:
    class Never(nn.Module):
        def forward(self, batch: Batch) -> Tensor:
            raise AssertionError("a second forward")

    one, batch = task(), drawn(multilabel=False)
    out: StepOutput = one.eval_step(Given(), batch, one.metrics())
    assert one.predict(Never(), batch, out) == one.predict(Given(), batch)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_predictions_of_several_labels(dtype: torch.dtype) -> None:
    batch: dict[str, Any] = {
        "index": torch.tensor([3, 4]),
        "y": torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0]]),
        "logits": torch.tensor([[2.0, -1, 0, 1], [-1, -2, -3, -4]], dtype=dtype),
    }
    first, second = task(multilabel=True).predict(Given(), batch)
    assert (first["index"], first["label"], first["prediction"]) == (3, ["cat", "owl"], ["cat", "owl", "yak"])
    assert (second["label"], second["prediction"]) == ([], [])
    expected = [1 / (1 + math.exp(-x)) for x in (2, -1, 0, 1)]
    assert first["probabilities"] == pytest.approx(expected, abs=1e-6)
