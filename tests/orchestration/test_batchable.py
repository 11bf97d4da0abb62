"""Which trials of a sweep share a process, told case by case; and a real sweep with and without."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file, save_file

from tests.conftest import Said
from tlx import compose
from tlx.config.schema import Trial
from tlx.orchestration import batchable
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs import result as results
from tlx.tracking import event_log
from tlx.training.locate import locate

BASE = ("backbone=narrow_resnet", "backbone.weights=a.safetensors", "dataset=digits", "strategy=feature_extraction")


def made(*words: str) -> Trial:
    named = {word.split("=")[0] for word in words}
    return compose([*(word for word in BASE if word.split("=")[0] not in named), *words])


@pytest.fixture(autouse=True)
def _files(folder: Path) -> None:
    """What is named has to be there; nobody reads it here."""
    for name in "ab":
        (folder / f"{name}.safetensors").touch()
        (folder / name).mkdir()


TOGETHER: dict[str, tuple[str, ...]] = {
    "rate": ("strategy.lr=0.5",),
    "rates of the backbone": ("strategy.backbone_lr=0.1", "strategy.layer_decay=0.5", "strategy.min_scale=0.1"),
    "decay": ("strategy.optimizer.weight_decay=1",),
    "curve": ("strategy.schedule.shape=slanted", "strategy.schedule.over=run"),
    "phase": (
        "strategy.phases.0.lr_scale=2",
        "strategy.phases.0.warmup=5%",
        "strategy.phases.0.schedule={shape: linear}",
    ),
    "plateau": ("strategy.phases.0.plateau={patience: 1}",),
    "threshold": ("strategy.phases.0.threshold={value: 0.9}",),
    "keep": ("strategy.keep=last",),
    "seed": ("seed=5",),
    "name": ("strategy.name=mine", "group=mine"),
    "audit": ("strategy.audit=off",),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_what_only_the_head_can_tell(name: str) -> None:
    assert batchable.key(made()) == batchable.key(made(*TOGETHER[name])) is not None


def test_label_smoothing_may_differ() -> None:
    keys = {batchable.key(made("task=classification", f"task.loss.label_smoothing={share}")) for share in (0, 0.1)}
    assert len(keys) == 1
    assert None not in keys


@pytest.mark.parametrize(
    "words",
    [
        ("backbone.weights=b.safetensors",),
        ("backbone.input.size=16",),
        ("dataset.shots=5", "dataset.shots_seed=0"),
        ("dataset.split_seed=1", "dataset.val=0.2"),
        ("dataset=glyphs",),
        ("dataset.augment=shift", "reuse.augment=off"),
        ("strategy.budget=3 epochs",),
        ("strategy.phases.0.until=50%",),
        ("strategy.batch_size=8",),
        ("strategy.validate_every=5 steps",),
        ("strategy.optimizer.name=sgd",),
        ("strategy.optimizer.args={eps: 1e-6}",),
        ("strategy.partition.max_stages=2",),
        ("reuse=always",),
        ("reuse.folder=elsewhere",),
        ("hardware.threads=2",),
        ("output=elsewhere",),
    ],
    ids=" ".join,
)
def test_what_everybody_has_to_agree_on(words: tuple[str, ...]) -> None:
    other = batchable.key(made(*words))
    assert other is not None
    assert other != batchable.key(made())
    assert other == batchable.key(made(*words, "strategy.lr=0.5"))


def test_heads_whose_rounds_are_found_out_agree_on_what_decides_them() -> None:
    """A plateau has a say in how often is validated; a rate has none."""
    auto = "strategy.validate_every=auto"
    assert batchable.key(made(auto)) == batchable.key(made(auto, "strategy.lr=0.5"))
    assert batchable.key(made(auto)) != batchable.key(made(auto, "strategy.phases.0.plateau={patience: 9}"))


@pytest.mark.parametrize(
    "words",
    [
        ("backbone.weights=none",),
        ("strategy.init=scratch",),
        ("dataset.shots=5",),
        ("dataset.augment=shift", "reuse.augment='views=2'"),
    ],
    ids=" ".join,
)
def test_seeds_that_decide_more_than_the_head_keep_trials_apart(words: tuple[str, ...]) -> None:
    keys = [batchable.key(made(*words, *more)) for more in ((), ("seed=1",), ("strategy.lr=0.5",))]
    assert None not in keys
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


@pytest.mark.parametrize(
    "words",
    [
        ("strategy=fine_tune",),
        ("strategy=lp_ft",),
        ("strategy=logistic",),
        ("strategy=bitfit",),
        ("strategy=lora",),
        ("strategy.phases.0.train=[head,stem]",),
        ("strategy.phases.0.freeze=[bias]",),
        ("strategy.phases.0.reinit=[head]",),
        ("strategy.phases.0.lr_mult={bias: 2}",),
        ("strategy.lr_mult={bias: 2}",),
        ("strategy.averaging={kind: ema}",),
        ("strategy.regulariser={kind: l2_sp}",),
        ("strategy.controller={kind: auto_rgn}",),
        ("strategy.clip=1",),
        ("strategy.frozen_norm=train",),
        ("strategy.optimizer.name=lamb",),
        ("strategy.optimizer.name=rmsprop",),
        ("strategy.optimizer.args={amsgrad: true}",),
        ("strategy.optimizer.name=sgd", "strategy.optimizer.args={nesterov: false}"),
        ("reuse=off",),
        ("dataset.augment=shift",),
        ("hardware.precision=bf16-mixed",),
        ("hardware.accumulate=2",),
        ("hardware.compile=true",),
        ("hardware=ddp_cpu",),
    ],
    ids=" ".join,
)
def test_what_has_to_be_alone(words: tuple[str, ...]) -> None:
    assert batchable.key(made(*words)) is None


def test_files_of_one_setting_are_not_one_data_set(folder: Path) -> None:
    """Where files lie decides no identity, but what is in them does."""
    for name in "ab":
        (folder / f"{name}.csv").write_text("text,label\n" + "".join(f"{name} {i},{i % 2}\n" for i in range(60)))
    trials = [made("backbone=narrow_bert", "dataset=csv", f"dataset.file={name}.csv") for name in "ab"]
    assert len({locate(trial).identity for trial in trials}) == 2
    assert len({batchable.key(trial) for trial in trials}) == 2


def test_folders_of_images_are_not_one_data_set() -> None:
    trials = [made("dataset=imagefolder", f"dataset.root={name}") for name in "ab"]
    assert len({batchable.key(trial) for trial in trials}) == 2


# -- a real sweep ------------------------------------------------------------------------------------------------------

SWEEP = (
    "backbone=narrow_resnet",
    "dataset=digits",
    "dataset.shots=10",
    "dataset.shots_seed=0",
    "strategy.budget=4 epochs",
    "strategy.batch_size=25",
    "strategy.lr=0.003,0.01,0.03",
    "seed=0,1",
)


@pytest.fixture
def weights(folder: Path) -> str:
    """A file as if pretrained."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"layers": [1, 1, 1, 1], "channels": [16, 32, 64, 128], "in_chans": 3, "num_classes": 0}
    state = timm.create_model("resnet18", **sizes).state_dict()
    state = {name: torch.ones_like(t) if re.search(r"bn2\.weight", name) else t for name, t in state.items()}
    save_file(state, folder / "cnn.safetensors")
    return f"backbone.weights={folder / 'cnn.safetensors'}"


def events(output: str) -> dict[str, list[str]]:
    """By the name of the run folder, of trials alone."""
    places = [file.parent for file in sorted(Path(output).glob("*/result.json"))]
    return {place.name: [row["event"] for row in event_log.read(place)] for place in places}


@pytest.mark.long
def test_a_sweep_with_heads_side_by_side_is_the_sweep_without(folder: Path, weights: str, said: Said) -> None:
    words = (*SWEEP, weights, "strategy=feature_extraction,fine_tune")
    assert "12 trials run" in said("sweep", *words)
    found = events("runs")
    assert len(found) == 12
    configs = {name: folders.read_config(Path("runs") / name) for name in found}
    heads = {name for name, trial in configs.items() if trial.strategy.name == "feature_extraction"}
    assert len(heads) == 6
    for name, seen in found.items():
        assert seen.count("together") == (name in heads), name
        assert (seen[0], seen[-1], seen.count("start"), seen.count("end")) == ("start", "end", 1, 1)
        assert (Path("runs") / name / "log.txt").read_text()
    for name in heads:
        (shared,) = [row for row in event_log.read(Path("runs") / name) if row["event"] == "together"]
        assert shared["trials"] == 6
    _mlflow_knows(folder, found)

    before = {file: file.stat().st_mtime_ns for file in Path("runs").glob("*/*") if file.parent.name in found}
    again = said("sweep", *words)
    assert "0 trials run, 12 already finished" in again
    assert {file: file.stat().st_mtime_ns for file in Path("runs").glob("*/*") if file.parent.name in found} == before

    said("sweep", *SWEEP, weights, "strategy=feature_extraction", "reuse=off", "output=alone", "tracking=none")
    alone = events("alone")
    assert alone.keys() == heads  # the folder's name has the identity
    for name in heads:
        assert "together" not in alone[name]
        _same(Path("runs") / name, Path("alone") / name)


def _mlflow_knows(folder: Path, found: dict[str, list[str]]) -> None:
    """A run for each trial, below the sweep's, with its metrics as often as the event log has them."""
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments() if one.name.startswith("tlx/")]
    runs = list(client.search_runs(experiments))
    (parent,) = [run for run in runs if run.data.tags["tlx.kind"] == "sweep"]
    children = {Path(run.data.tags["tlx.folder"]).name: run for run in runs if run.data.tags["tlx.kind"] == "train"}
    assert children.keys() == found.keys()
    assert len(runs) == len(found) + 1
    assert {
        row["folder"] for row in event_log.read(Path(parent.data.tags["tlx.folder"])) if row["event"] == "child"
    } == {*found}
    for name, run in children.items():
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        recorded = json.loads((folder / "runs" / name / "result.json").read_text())
        assert run.data.metrics["test/acc"] == pytest.approx(recorded["metrics"]["test/acc"])
        rows = [row for row in event_log.metrics(folder / "runs" / name) if "val/loss" in row["values"]]
        assert len(client.get_metric_history(run.info.run_id, "val/loss")) == len(rows)


def _same(place: Path, other: Path) -> None:
    ours, theirs = results.read_result(place), results.read_result(other)
    assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-5, abs=1e-5)
    assert replace(ours, metrics={}, cpu_seconds=0, wall_seconds=0) == replace(
        theirs, metrics={}, cpu_seconds=0, wall_seconds=0
    )
    rows, expected = event_log.metrics(place), event_log.metrics(other)
    assert [(row["step"], list(row["values"])) for row in rows] == [
        (row["step"], list(row["values"])) for row in expected
    ]
    for row, wanted in zip(rows, expected, strict=True):
        assert row["values"] == pytest.approx(wanted["values"], rel=1e-5, abs=1e-5)
    states = [load_file(one / layout.CHECKPOINT) for one in (place, other)]
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        torch.testing.assert_close(tensor, states[1][name], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_group_that_cannot_be_side_by_side_is_run_one_by_one(folder: Path, said: Said) -> None:
    """Raw inputs are features already: each trial runs, is counted and is recorded once."""
    words = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "dataset=digits"]
    assert "3 trials run" in said("sweep", *words, "strategy.lr=0.1,0.2,0.3", "tracking=none")
    found = events("runs")
    assert len(found) == 3
    for name, seen in found.items():
        assert "together" not in seen
        assert (seen.count("start"), seen.count("end")) == (1, 1)
        assert "not trained side by side" in (Path("runs") / name / "log.txt").read_text()
    (book,) = [file.parent for file in Path("runs").glob("*/events.jsonl") if file.parent.name not in found]
    children = [row["folder"] for row in event_log.read(book) if row["event"] == "child"]
    assert sorted(children) == sorted(found)
