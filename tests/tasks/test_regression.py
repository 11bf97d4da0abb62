"""Regression: predictions, heads side by side, the exact solution, and what it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from tests.tasks.conftest import Given, batch_of
from tests.tasks.regressions import LOSSES, ONE, TWO, descended, drawn, evaluated, made
from tlx.columns import Column, Image, Label, Labels, Number, Text
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError
from tlx.config.task import AutoTask, Classification, Loss, Regression, RegressionLoss
from tlx.tasks import ridge
from tlx.tasks.load import load
from tlx.tasks.regression import RegressionTask


# Predictions
def test_predictions_are_plain_records_in_own_units() -> None:
    batch = batch_of(torch.tensor([[0.5], [-2.0]]), {"price": torch.tensor([3.25, 8.0], dtype=torch.float64)})
    records = made().predict(Given(), batch)
    assert json.loads(json.dumps(records)) == records
    assert records == [{"index": 0, "label": 3.25, "prediction": 3.5}, {"index": 1, "label": 8.0, "prediction": -4.0}]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_predictions_of_several_numbers_are_by_name(dtype: torch.dtype) -> None:
    truth = {"price": torch.tensor([3.25]), "area": torch.tensor([-49.5])}
    batch = batch_of(torch.tensor([[0.5, -4.0]], dtype=dtype), truth)
    (record,) = made(targets=TWO).predict(Given(), batch)
    assert record == {
        "index": 0,
        "label": {"price": 3.25, "area": -49.5},
        "prediction": {"price": 3.5, "area": -51.0},
    }


def test_predictions_without_targets_have_no_label() -> None:
    (record,) = made().predict(Given(), batch_of(torch.zeros(1, 1), {}))
    assert record == {"index": 0, "prediction": 2.0}


def test_what_a_step_gave_spares_predictions_a_forward() -> None:
    class Never(nn.Module):
        def forward(self, inputs: Mapping[str, Any]) -> Tensor:
            raise AssertionError("a second forward")

    one, batch = made(), drawn()
    out = one.eval_step(Given(), batch, one.metrics())
    assert one.predict(Never(), batch, out) == one.predict(Given(), batch)


# Heads side by side
@pytest.mark.parametrize("options", LOSSES)
@pytest.mark.parametrize("targets", [ONE, TWO])
def test_heads_side_by_side_give_what_each_gives_alone(options: RegressionLoss, targets: Sequence[Number]) -> None:
    one = made(options, targets)
    batches = [drawn(targets, seed=seed) for seed in range(3)]
    many = one.together([one] * 3)
    outputs = torch.stack([batch.inputs["outputs"] for batch in batches])
    found = many.losses(outputs, torch.stack([one.target(batch.targets) for batch in batches]))
    torch.testing.assert_close(found, torch.stack([descended(one, batch)[0] for batch in batches]))
    truth = batches[0].targets
    alone = [evaluated(one, batch_of(batch.inputs["outputs"], truth), size=40) for batch in batches]
    for mine, wanted in zip(many.metrics(outputs, one.target(truth)), alone, strict=True):
        assert mine == pytest.approx(wanted, rel=1e-5)


# The exact solution
@pytest.mark.parametrize(("rows", "width"), [(60, 7), (12, 30), (30, 30), (400, 3)])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_solution_is_scikit_learns(rows: int, width: int, outputs: int) -> None:
    rng = np.random.default_rng(rows)
    features = rng.normal(size=(rows, width)) * rng.uniform(0.01, 100, width) + rng.normal(size=width) * 10
    targets = features @ rng.normal(size=(width, outputs)) / 100 + rng.normal(size=(rows, outputs)) + 5
    head = nn.Linear(width, outputs).double()
    ridge.solve(torch.from_numpy(features), torch.from_numpy(targets), head)
    scaler = StandardScaler()
    scaled = scaler.fit_transform(features)
    expected = Ridge(alpha=1.0, solver="cholesky").fit(scaled, targets)
    new = rng.normal(size=(20, width)) * 10
    for values in (features, new):
        found = head(torch.from_numpy(values)).detach().numpy()
        wanted = np.asarray(expected.predict(scaler.transform(values))).reshape(found.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_a_constant_feature_has_no_weight() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 3))
    features[:, 1] = 1e6
    head = nn.Linear(3, 1).double()
    ridge.solve(torch.from_numpy(features), torch.from_numpy(rng.normal(size=(30, 1))), head)
    assert head.weight[0, 1].item() == 0
    assert torch.isfinite(head.weight).all()


@pytest.mark.parametrize("shift", [1e-4, 1.0, 1e4])
def test_features_of_another_size_are_solved_alike(shift: float) -> None:
    """Standardised, they are the same."""
    rng = np.random.default_rng(0)
    features, targets = torch.from_numpy(rng.normal(size=(30, 4))), torch.from_numpy(rng.normal(size=(30, 1)))
    first, second = nn.Linear(4, 1).double(), nn.Linear(4, 1).double()
    ridge.solve(features, targets, first)
    ridge.solve(features * shift + shift, targets, second)
    torch.testing.assert_close(second(features * shift + shift), first(features), rtol=1e-9, atol=1e-9)


def test_the_task_solves_for_what_the_network_predicts() -> None:
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(50, 6))).float()
    batch = drawn(TWO, rows=50)
    head = nn.Linear(6, 2)
    one = made(targets=TWO)
    assert tuple(one.solvers) == ("ridge",)
    one.solve("ridge", features, batch.targets, None, head)
    records = one.predict(Given(), batch_of(head(features).detach(), batch.targets))
    scaled = StandardScaler().fit_transform(features.double().numpy())
    for column in TWO:
        truth = batch.targets[column.name].numpy()
        expected = Ridge(alpha=1.0).fit(scaled, truth).predict(scaled)
        found = [record["prediction"][column.name] for record in records]
        np.testing.assert_allclose(found, expected, atol=1e-5 * column.deviation, rtol=1e-5)


# What it is for
@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ((Label("kind", classes=("a", "b")),), "'kind' (label)"),
        ((Labels("kinds", classes=("a", "b")),), "'kinds' (labels)"),
        ((*ONE, Label("kind", classes=("a", "b"))), "'kind' (label)"),
        ((), "none"),
        ((Text("words", role="target"),), "'words' (text)"),
    ],
)
def test_what_is_no_number_is_refused(targets: Sequence[Column], found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Regression(), Schema((Image("picture", channels=1), *targets)))
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("task", "regression")
    assert found in problem.message
    assert "dataset.label_type=number" in problem.message


@pytest.mark.parametrize("targets", [ONE, TWO])
def test_auto_is_regression_of_numbers(targets: Sequence[Number]) -> None:
    schema = Schema((Text("words"), *targets))
    one = load(AutoTask(), schema)
    assert isinstance(one, RegressionTask)
    assert one.options == Regression()
    with pytest.raises(ConfigError, match="task=regression") as caught:
        load(AutoTask(loss=Loss(kind="focal")), schema)
    assert [problem.key for problem in caught.value.problems] == ["task.loss"]


def test_numbers_are_no_classes() -> None:
    with pytest.raises(ConfigError, match=r"expected one target of kind label or labels, found 'price' \(number\)"):
        load(Classification(), Schema((Text("words"), *ONE)))


def test_exact_solutions_weigh_examples_as_their_repetition_does() -> None:
    rng = np.random.default_rng(1)
    features, targets = torch.from_numpy(rng.normal(size=(30, 4))), torch.from_numpy(rng.normal(size=(30, 2)))
    weights = torch.from_numpy(rng.integers(0, 4, size=30))
    scaled = StandardScaler().fit_transform(features.numpy())
    head = nn.Linear(4, 2)
    ridge.solve(features, targets, head, weights)
    expected = Ridge(alpha=1.0).fit(scaled, targets.numpy(), sample_weight=weights.numpy()).predict(scaled)
    np.testing.assert_allclose(head(features.float()).detach().numpy(), expected, atol=1e-5)
