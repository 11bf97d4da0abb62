"""The parts keep tlx's contracts, and compute what other libraries compute."""

import numpy as np
import pytest
import torch
from progression import make, ordinal, parts, patients, transport, within_one
from scipy.stats import wasserstein_distance
from sklearn.metrics import cohen_kappa_score, mean_absolute_error

from tlx.columns import Label
from tlx.config.errors import DataError
from tlx.testing import check_backbone, check_callback, check_dataset, check_task

GRADES = Label("grade", classes=("1", "2", "3", "4", "5"))


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make.make(tmp_path / "patients.sqlite")


def test_every_part_keeps_its_contract():
    check_dataset("patients", {"cohort": "second"})
    check_backbone("waves", {"blocks": 2})
    check_task("ordinal", trial=["dataset=patients", "backbone=waves", "task.metrics.within_one={}"])
    check_callback("drift", {"every": 2}, trial=["dataset=patients", "backbone=waves", "task=ordinal"])


def test_grades_are_of_as_many_patients_each_and_in_order():
    rows = patients.rows(parts.Patients())
    assert np.bincount([row[-1] for row in rows])[1:].tolist() == [89, 89, 88, 88, 88]
    first, second = (patients.rows(parts.Patients(cohort=name)) for name in ("first", "second"))
    assert sorted([*first, *second]) == sorted(rows)


def test_the_fingerprint_is_of_the_rows_alone(tmp_path):
    make.make(tmp_path / "copy.sqlite")
    prints = {patients.fingerprint(parts.Patients(file=name)) for name in ("patients.sqlite", "copy.sqlite")}
    assert len(prints) == 1
    assert patients.fingerprint(parts.Patients(grades=4)) not in prints


def test_a_file_that_is_not_there_is_answered_with_how_it_is_made():
    with pytest.raises(DataError, match=r"python -m progression.make nowhere.sqlite"):
        patients.load(parts.Patients(file="nowhere.sqlite"))


def test_the_loss_is_the_logarithm_of_what_the_true_grade_is_given():
    outputs, target = torch.randn(50, 4), torch.arange(50) % 5
    found = ordinal.distribution(outputs)
    assert torch.allclose(found.sum(1), torch.ones(50))
    assert torch.allclose(ordinal.losses(outputs, target), -found[torch.arange(50), target].log(), atol=1e-5)


def test_metrics_are_those_of_scikit_learn():
    outputs, target = torch.randn(200, 4), torch.arange(200) % 5
    metrics = ordinal.OrdinalMetrics(5, "median")
    for part in (slice(0, 70), slice(70, 200)):
        metrics.update(outputs[part], target[part], torch.tensor(0.0), 1)
    grades = ordinal.decided(ordinal.distribution(outputs), "median")
    found = metrics.compute()
    assert found["kappa"] == pytest.approx(cohen_kappa_score(target, grades, weights="quadratic"), abs=1e-5)
    assert found["mae"] == pytest.approx(mean_absolute_error(target, grades))


def test_transport_of_the_first_power_is_the_distance_of_wasserstein():
    outputs, target = torch.randn(20, 5), torch.arange(20) % 5
    found = transport.load(parts.Transport(power=1.0), [GRADES])(outputs, target)
    places = np.arange(5)
    expected = [
        wasserstein_distance(places, [true], row)
        for row, true in zip(outputs.softmax(1).tolist(), target.tolist(), strict=True)
    ]
    assert torch.allclose(found, torch.tensor(expected).float(), atol=1e-5)


def test_within_one_counts_neighbours():
    added = within_one.load(parts.WithinOne(), [GRADES])
    likely = torch.eye(5)[torch.tensor([0, 1, 2, 4])]
    added.metric.update(likely, torch.tensor([1, 1, 0, 0]))
    assert float(added.metric.compute()) == 0.5
