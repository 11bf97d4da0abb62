"""One way to name things: a name, a folder or an MLflow id is understood by every verb that takes a run or a sweep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

import tlx
from tests.conftest import Said
from tlx.cli import ui
from tlx.columns import Text
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigError
from tlx.prediction.sources import inputs_of

WORDS = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "dataset=digits"]


@pytest.mark.slow
def test_runs_and_sweeps_by_any_name(folder: Path, said: Said) -> None:
    said("sweep", *WORDS, "seed=1,2", "sweep.name=rates")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("tlx/trials")
    assert experiment is not None
    runs = {Path(r.data.tags["tlx.folder"]).name: r for r in client.search_runs([experiment.experiment_id])}
    name = next(name for name in runs if name.startswith("pixels"))
    ids = {name: run.info.run_id for name, run in runs.items()}
    page = f"http://x/#/experiments/{experiment.experiment_id}/runs"
    for word in (None, "trials"):  # the best in the test first
        found = ui.page_of(uri, word, "http://x")
        assert found.startswith(f"{page}?")
        assert found.endswith("&orderByKey=metrics.%60test%2Facc%60&orderByAsc=false")
    assert ui.page_of(uri, f"runs/{name}", "http://x") == f"{page}/{ids[name]}"
    assert ui.page_of(uri, ids[name], "http://x") == f"{page}/{ids[name]}"
    assert ui.page_of(uri, "rates", "http://x") == ui.page_of(uri, "runs/rates", "http://x") == f"{page}/{ids['rates']}"
    with pytest.raises(ConfigError, match="there are trials"):
        ui.page_of(uri, "nothing", "http://x")
    for word in ("rates", "runs/rates", f"runs/{name}", "runs"):
        assert "run folders are in" in said("sync", word)
    assert "no run; expected" in said("sync", "nothing", code=2)
    for word in (f"runs/{name}", ids[name]):
        assert "would not run again" in said("why", word)
    (found,) = json.loads(said("reproduce", ids[name], "--json"))
    assert found["verdict"] == "bitwise"
    assert Path(found["run"]).name == name
    assert {check["state"] for check in found["checks"]} == {"same"}


LONG = "y" * 300


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", f"x={LONG}"),
        ("evaluate", LONG),
        ("evaluate", "~nobody-at-all/run"),
        ("predict", LONG, "a.png"),
        ("predict", "~nobody-at-all/run", "a.png"),
        ("predict", "run", "a.png", "--out", f"{LONG}.csv"),
        ("predict", "run", "a.png", "--out", "~nobody-at-all/a.csv"),
        ("sync", LONG),
        ("sync", f"{LONG}/{LONG}"),
        ("plan", *WORDS, f"--figure={LONG}.svg"),
        ("export", LONG),
        ("export", "run", "--to", "onnx", "--out", f"{LONG}.onnx"),
        ("reproduce", "run", "--checkout", "~nobody-at-all/x"),
    ],
)
def test_names_that_no_file_can_have(folder: Path, said: Said, words: tuple[str, ...]) -> None:
    text = said(*words, code=2)
    assert any(one in text for one in ("has a name of 30", "no home folder", "expected one"))


@pytest.mark.parametrize("word", [LONG, f"{LONG}.csv", "~nobody-at-all/a.txt", "a\0.png", ""])
def test_inputs_that_no_file_can_be(folder: Path, word: str) -> None:
    trial = tlx.compose([*WORDS, "tracking=none"])
    with pytest.raises(ConfigError, match="input"):
        inputs_of([word], trial, {"text": Text("text")}, Limits())
    with pytest.raises(ConfigError):
        tlx.load(word)
