"""``tlx.train`` is ``tlx train``: the same trial, bit for bit, and a run that can be used from anywhere."""

from __future__ import annotations

import io
import logging
import os
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import tlx
from tests.conftest import Said
from tlx.config.errors import ConfigError
from tlx.orchestration.trial_progress import TrialProgress
from tlx.runs import layout

WORDS = "backbone=pixels strategy=feature_extraction dataset=digits strategy.budget='6 steps' tracking=none"


def test_it_is_the_command(said: Said, folder: Path) -> None:
    shown = said("train", *shlex.split(WORDS), "seed=3", "output=typed")
    run = tlx.train(WORDS, seed=3)
    (typed,) = (path.parent for path in (folder / "typed").glob("*/result.json"))
    assert Path(run.folder).name == typed.name
    assert run.identity in shown
    for name in (layout.PREDICTIONS, layout.CHECKPOINT):
        assert (Path(run) / name).read_bytes() == (typed / name).read_bytes()


def test_a_run_is_used_from_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tlx.train(tlx.compose(WORDS))
    monkeypatch.chdir("/")
    assert tlx.train(tlx.compose(WORDS), output=folder / "runs") == run
    for where in (run, run.folder, Path(run)):
        assert not tlx.load(where).training
    assert run.metrics[f"test/{run.primary.name}"] is not None
    assert Path(run.folder).is_absolute()


def test_a_composed_trial_is_changed_by_settings() -> None:
    trial = tlx.compose(WORDS)
    assert tlx.train(trial, seed=4) == tlx.train(WORDS, seed=4)
    with pytest.raises(ConfigError, match="a composed trial has chosen already"):
        tlx.train(trial, backbone="resnet18")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("backbone=pixel strategy=logistic dataset=digits", "did you mean pixels"),
        ("backbone=pixels strategy=logistic dataset=digits seed=0,1", "several values are a sweep"),
        ("experiment=quickstart", "a study is many trials"),
    ],
)
def test_a_mistake_starts_nothing(folder: Path, words: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        tlx.train(words)
    assert not list(folder.iterdir())


def test_it_says_what_it_does_or_is_quiet(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    run = tlx.train(WORDS)
    assert f"record: {run.folder}" in capsys.readouterr().out
    with caplog.at_level(logging.INFO, logger="tlx"):
        tlx.train(WORDS, quiet=True)
    assert capsys.readouterr().out == ""
    assert "already finished; nothing was trained" in caplog.text


@pytest.mark.parametrize("stream", [None, "closed", "full"])
def test_an_output_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch, stream: Any) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    out = {None: None, "closed": io.StringIO(), "full": Full()}[stream]
    if stream == "closed":
        assert out is not None
        out.close()
    monkeypatch.setattr(sys, "stdout", out)
    assert tlx.train(WORDS).steps == 6


def test_it_trains_in_any_thread() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(tlx.train(WORDS, quiet=True)))
    thread.start()
    thread.join()
    assert found == [tlx.train(WORDS)]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_call_goes_on_from_where_ctrl_c_left_it(monkeypatch: pytest.MonkeyPatch) -> None:
    words = WORDS.replace("6 steps", "5 epochs")
    whole = tlx.train(words, output="whole")

    def step(progress: TrialProgress, step: int) -> None:
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(TrialProgress, "step", step)
        with pytest.raises(KeyboardInterrupt, match="its state saved"):
            tlx.train(words)
    run = tlx.train(words)
    assert run.metrics == whole.metrics
    assert (Path(run) / layout.PREDICTIONS).read_bytes() == (Path(whole) / layout.PREDICTIONS).read_bytes()


def test_what_is_shown_is_no_markup() -> None:
    run = tlx.train(WORDS, dataset={"name": "<img src=x onerror=alert(1)>"})
    assert "<img" not in run._repr_html_()
    assert "&lt;img" in run._repr_html_()
    assert "<table>" in run._repr_html_()
    assert repr(run).startswith("<Run pixels-feature_extraction-")


@pytest.mark.slow
def test_it_is_in_mlflow(folder: Path) -> None:
    import mlflow

    run = tlx.train(WORDS, tracking={"choice": "mlflow", "uri": f"sqlite:///{folder}/m.db"})
    client = mlflow.MlflowClient(f"sqlite:///{folder}/m.db")
    (found,) = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert found.data.tags["tlx.folder"] == run.folder
    assert found.info.status == "FINISHED"
