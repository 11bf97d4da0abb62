"""The story of a trial: what it leaves behind, when it does nothing, and what happens when it breaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import tlx
from tests.training.conftest import Compose
from tlx.config.errors import ConfigError, RequestError
from tlx.runs import folder as folders
from tlx.runs import layout, lock
from tlx.strategies import freezing
from tlx.tracking import event_log, mlflow_sync
from tlx.training.build import rebuilt
from tlx.training.locate import locate


def test_a_trial_leaves_its_whole_record(small: Compose) -> None:
    trial = small("strategy=fine_tune")
    result = tlx.train(trial)
    where = locate(trial).path
    predictions = [json.loads(line) for line in (where / layout.PREDICTIONS).read_text().splitlines()]
    right = sum(record["prediction"] == record["label"] for record in predictions)
    assert len(predictions) == 897
    assert result.metrics["test/acc"] == pytest.approx(right / 897, abs=1e-6)
    assert result.steps == 6
    events = [row["event"] for row in event_log.read(where)]
    assert events[0] == "start"
    assert events[-1] == "end"
    assert folders.read_config(where) == trial


def test_the_stage_table_is_in_the_event_log(small: Compose) -> None:
    trial = small("strategy=feature_extraction")
    tlx.train(trial)
    (row,) = (row for row in event_log.read(locate(trial).path) if row["event"] == "stages")
    assert [stage["stage"] for stage in row["table"]] == [
        "stem",
        "layer1.0",
        "layer2.0",
        "layer3.0",
        "layer4.0",
        "head",
    ]
    assert sum(stage["count"] for stage in row["table"]) == 319594
    assert len(row["digest"]) == 64


def test_a_finished_trial_is_not_run_again(small: Compose) -> None:
    trial = small("strategy=feature_extraction")
    first = tlx.train(trial)
    files = {path: path.stat().st_mtime_ns for path in locate(trial).path.iterdir()}
    assert tlx.train(trial) == first
    assert files == {path: path.stat().st_mtime_ns for path in locate(trial).path.iterdir()}


def test_steps_and_epochs_go_on_over_phases(small: Compose) -> None:
    trial = small("strategy=gradual_unfreezing", "strategy.budget=12 steps")
    tlx.train(trial)
    where = locate(trial).path
    phases = [row for row in event_log.read(where) if row["event"] == "phase"]
    assert [phase["start"] for phase in phases[1:]] == [phase["stop"] for phase in phases[:-1]]
    assert phases[-1]["stop"] == 12
    trained = [row for row in event_log.metrics(where) if "train/loss" in row["values"]]
    steps = [row["step"] for row in trained]
    assert steps == sorted(set(steps))
    assert steps[-1] == 12
    assert [row["epoch"] for row in trained] == pytest.approx([step / 3 for step in steps], abs=1e-3)  # 40 in 16, 16, 8


def test_keep_best_tests_the_best_validation(small: Compose) -> None:
    trial = small("strategy=fine_tune", "strategy.keep=best", "strategy.budget=10 steps")
    result = tlx.train(trial)
    seen = [row["values"]["val/acc"] for row in event_log.metrics(locate(trial).path) if "train/loss" in row["values"]]
    assert result.metrics["val/acc"] == max(seen)


def test_the_best_of_an_earlier_phase_is_a_whole_model(small: Compose) -> None:
    """The second phase ruins the body; what is tested and saved is the model that was best, body included."""
    phases = "[{train: [head], until: 75%}, {train: [all], lr_scale: 30}]"
    words = ("strategy=scratch", "strategy.lr=0.03", "dataset.shots=20", "strategy.budget=24 steps")
    trial = small(*words, f"strategy.phases={phases}", "strategy.validate_every=6 steps")
    result = tlx.train(trial)
    rows = [row for row in event_log.metrics(locate(trial).path) if "train/loss" in row["values"]]
    best = max(rows, key=lambda row: (row["values"]["val/acc"], row["step"]))
    assert best["step"] <= 18
    assert result.metrics["val/loss"] == best["values"]["val/loss"]
    learner = rebuilt(locate(trial).path).module
    metrics = learner.task.metrics()
    with torch.no_grad():
        for batch in learner.data.eval_loader("val"):
            learner.task.eval_step(learner.model, batch, metrics)
    again = learner.task.compute(metrics)
    assert again["loss"] == pytest.approx(result.metrics["val/loss"], abs=1e-5)


def test_only_what_was_trained_is_saved(small: Compose) -> None:
    trial = small("strategy=feature_extraction")
    result = tlx.train(trial)
    state = load_file(locate(trial).path / layout.CHECKPOINT)
    parameters = {name for name in state if "running" not in name and "num_batches" not in name}
    assert parameters == {"head.weight", "head.bias"}
    assert result.trained == 128 * 10 + 10


def test_load_brings_the_same_predictions_back(small: Compose) -> None:
    trial = small("strategy=fine_tune")
    tlx.train(trial)
    where = locate(trial).path
    learner = rebuilt(where).module
    batch = next(iter(learner.data.eval_loader("test")))
    with torch.no_grad():
        again = learner.task.predict(learner.model, batch)
    lines = (where / layout.PREDICTIONS).read_text().splitlines()
    before = {json.loads(line)["index"]: json.loads(line) for line in lines}
    for record in again:
        assert record["prediction"] == before[record["index"]]["prediction"]
        assert record["probabilities"] == pytest.approx(before[record["index"]]["probabilities"], abs=2e-6)


def test_a_refused_request_leaves_nothing(small: Compose, folder: Path) -> None:
    trial = small("backbone=resnet18")  # its weights are on the hub, and the tests are offline
    with pytest.raises(RequestError, match="offline you can use"):
        tlx.train(trial)
    assert list(folder.iterdir()) == []


def test_a_failed_trial_says_why_and_is_run_again(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = small("strategy=fine_tune")
    where = locate(trial).path

    def broken(*_: object) -> None:
        raise RuntimeError("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr(freezing, "audit", broken)
        with pytest.raises(RuntimeError, match="on fire"):
            tlx.train(trial)
    last = list(event_log.read(where))[-1]
    assert (last["event"], last["status"]) == ("end", "FAILED")
    assert "on fire" in last["reason"]
    assert not (where / layout.RESULT).exists()
    tlx.train(trial)
    assert (where / "events.1.jsonl").is_file()  # the failed attempt is kept
    assert list(event_log.read(where))[-1]["status"] == "FINISHED"


def test_an_mlflow_run_gives_its_backbone(small: Compose, folder: Path) -> None:
    source = small("strategy=scratch", "tracking=mlflow")
    where = locate(source).path
    with mlflow_sync.MLflowSync(source.tracking) as mirrored:
        mirrored.watch(where)
        tlx.train(source)
    target = small("strategy=feature_extraction", f"backbone.weights=mlflow:{mlflow_sync.run_id(where)}")
    tlx.train(target)
    own = rebuilt(locate(target).path).module.model.state_dict()
    trained = load_file(where / layout.CHECKPOINT)
    assert all(torch.equal(own[name], t) for name, t in trained.items() if name.startswith("backbone."))
    with pytest.raises(RequestError, match="no such run"):
        tlx.train(small("strategy=feature_extraction", "backbone.weights=mlflow:0123456789abcdef0123456789abcdef"))


def test_two_processes_cannot_run_one_trial(small: Compose) -> None:
    trial = small("strategy=fine_tune")
    with locate(trial).lock(), pytest.raises(lock.Busy):
        tlx.train(trial)


def test_an_earlier_trial_gives_its_backbone(small: Compose, folder: Path) -> None:
    (folder / "experiments").mkdir()
    source = (
        "# @package _global_\n# a source\ndefaults:\n  - override /backbone: narrow_resnet\n"
        "  - override /strategy: scratch\n"
        "  - override /dataset: digits\nstrategy: {budget: 4 steps, batch_size: 16}\nhardware: {threads: 1}\n"
    )
    (folder / "experiments" / "source.yaml").write_text(source)
    target = small("strategy=feature_extraction", "backbone.weights=trial:source")
    with pytest.raises(RequestError, match="tlx train experiment=source"):
        tlx.train(target)
    first = tlx.compose(["experiment=source", "tracking=none"])
    tlx.train(first)
    tlx.train(target)
    trained = load_file(locate(first).path / layout.CHECKPOINT)
    learner = rebuilt(locate(target).path).module
    own = learner.model.state_dict()
    for name, tensor in trained.items():
        if name.startswith("backbone."):
            assert torch.equal(own[name], tensor), name


def test_an_output_that_cannot_be_written_to_is_refused(small: Compose, folder: Path) -> None:
    """As a read-only disk would be; permissions mean nothing to root."""
    (folder / "taken").touch()
    with pytest.raises(ConfigError, match="is not a folder; name a folder of its own") as caught:
        tlx.train(small("strategy=fine_tune", "output=taken"))
    assert caught.value.problems[0].key == "output"
    assert [path.name for path in folder.iterdir()] == ["taken"]
