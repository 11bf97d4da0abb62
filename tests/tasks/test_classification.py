"""Classification: losses are torch's, metrics scikit-learn's, batches are padded, and predictions are plain records."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score
from torch import Tensor, nn
from torch.nn import functional as F

from tlx.backbones.load import Loaded
from tlx.backbones.spec import ImageSpec, TextSpec
from tlx.data.source import DataInfo
from tlx.tasks.classification import ClassificationTask, Classifier
from tlx.tasks.options import ImageClassification, TextClassification
from tlx.tasks.protocol import Batch, Out

CLASSES = ("cat", "dog", "owl", "yak")


def task(multilabel: bool = False, smoothing: float = 0.0, modality: str = "image") -> ClassificationTask:
    info = DataInfo(modality, CLASSES, 1, 60, 20, 20, multilabel)
    kind = ImageClassification if modality == "image" else TextClassification
    return ClassificationTask(kind(multilabel=multilabel, label_smoothing=smoothing), info)


class Given(nn.Module):
    """A network whose logits are known beforehand."""

    def forward(self, batch: Batch) -> Tensor:
        """The logits put into the batch."""
        logits: Tensor = batch["logits"]
        return logits


class Flat(nn.Module):
    """A backbone that takes images, and nothing else of a batch."""

    def forward(self, x: Tensor) -> Tensor:
        """[batch, ...] to [batch, width]."""
        return x.flatten(1)


def drawn(multilabel: bool, rows: int = 40, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (rows,), generator=generator)
    several = (torch.rand(rows, 4, generator=generator) < 0.4).float()
    logits = 2 * torch.randn(rows, 4, generator=generator)
    return {"index": torch.arange(rows), "y": several if multilabel else labels, "logits": logits}


def evaluated(one: ClassificationTask, batch: Batch, size: int = 16) -> dict[str, float | None]:
    """The metrics of a batch taken in parts of unequal size."""
    metrics = one.metrics()
    for start in range(0, len(batch["y"]), size):
        one.eval_step(Given(), {name: value[start : start + size] for name, value in batch.items()}, metrics)
    return one.compute(metrics)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_training_loss_of_one_label(smoothing: float) -> None:
    batch = drawn(multilabel=False)
    out = task(smoothing=smoothing).training_step(Given(), batch)
    expected = nn.CrossEntropyLoss(label_smoothing=smoothing)(batch["logits"], batch["y"])
    torch.testing.assert_close(out.loss, expected)
    assert out.n == 40


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_training_loss_of_several_labels(smoothing: float) -> None:
    batch = drawn(multilabel=True)
    out = task(multilabel=True, smoothing=smoothing).training_step(Given(), batch)
    p = batch["logits"].double().sigmoid()
    target = torch.where(batch["y"] > 0, 1 - smoothing / 2, smoothing / 2).double()
    expected = -(target * p.log() + (1 - target) * (1 - p).log()).mean()
    torch.testing.assert_close(out.loss, expected.float())


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_evaluation_loss_is_not_smoothed_and_weighs_every_example_alike(multilabel: bool) -> None:
    batch = drawn(multilabel)
    plain = F.binary_cross_entropy_with_logits if multilabel else F.cross_entropy
    values = evaluated(task(multilabel, smoothing=0.3), batch)
    assert values["loss"] == pytest.approx(float(plain(batch["logits"], batch["y"])), rel=1e-5)


def test_metrics_of_one_label_equal_scikit_learns() -> None:
    batch = drawn(multilabel=False)
    values = evaluated(task(), batch)
    truth, guess = batch["y"].numpy(), batch["logits"].argmax(1).numpy()
    assert values["acc"] == pytest.approx(accuracy_score(truth, guess))
    assert values["f1_macro"] == pytest.approx(f1_score(truth, guess, average="macro"))


def test_metrics_of_several_labels_equal_scikit_learns() -> None:
    batch = drawn(multilabel=True)
    values = evaluated(task(multilabel=True), batch)
    truth, scores = batch["y"].int().numpy(), batch["logits"].sigmoid().numpy()
    assert values["f1_macro"] == pytest.approx(f1_score(truth, scores >= 0.5, average="macro"))
    assert values["auroc_macro"] == pytest.approx(roc_auc_score(truth, scores, average="macro"))
    assert values["ap_macro"] == pytest.approx(average_precision_score(truth, scores, average="macro"), rel=1e-5)
    assert values["undefined_labels"] == 0


def test_a_label_without_positives_or_negatives_is_left_out_of_the_means() -> None:
    batch = drawn(multilabel=True)
    batch["y"][:, 1] = 0
    batch["y"][:, 2] = 1
    values = evaluated(task(multilabel=True), batch)
    truth, scores = batch["y"].int().numpy(), batch["logits"].sigmoid().numpy()
    assert values["auroc_macro"] == pytest.approx(roc_auc_score(truth[:, [0, 3]], scores[:, [0, 3]]))
    positives = [0, 2, 3]
    assert values["ap_macro"] == pytest.approx(average_precision_score(truth[:, positives], scores[:, positives]))
    assert values["undefined_labels"] == 2


def test_without_any_positive_the_means_are_undefined() -> None:
    batch = drawn(multilabel=True)
    batch["y"].zero_()
    values = evaluated(task(multilabel=True), batch)
    assert values["auroc_macro"] is None
    assert values["ap_macro"] is None
    assert values["undefined_labels"] == 4


@pytest.mark.parametrize("multilabel", [False, True])
def test_metrics_begin_anew_after_each_evaluation(multilabel: bool) -> None:
    one = task(multilabel)
    metrics = one.metrics()
    first, second = drawn(multilabel, seed=1), drawn(multilabel, seed=2)
    for batch in (first, second):
        one.eval_step(Given(), batch, metrics)
        assert one.compute(metrics) == evaluated(one, batch, size=40)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("multilabel", [False, True])
def test_logits_that_are_no_numbers_stop_the_evaluation(multilabel: bool, bad: float) -> None:
    batch = drawn(multilabel)
    batch["logits"][3, 2] = bad
    with pytest.raises(FloatingPointError, match="NaN or infinity"):
        evaluated(task(multilabel), batch)


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
    out: Out = one.eval_step(Given(), batch, one.metrics())
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
