"""``tlx.sweep`` is ``tlx sweep``, from wherever Python runs: a script without a guard, ``-c``, its input, a prompt."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tlx
from tests.conftest import Said
from tlx.components.registry import register
from tlx.config.errors import ConfigError
from tlx.config.fields import option

WORDS = "backbone=pixels strategy=logistic dataset=digits tracking=none"
SCRIPT = f"""
print("the program runs")
import tlx
found = tlx.sweep("{WORDS}", seed=[0, 1], jobs=2, quiet=True)
print("there are", len(found.results), len(found.failures), "trials")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "way", ["script", *(pytest.param(way, marks=pytest.mark.long) for way in ("prompt", "module", "-c", "input"))]
)
def test_it_runs_wherever_python_does(folder: Path, way: str) -> None:
    (folder / "program.py").write_text(SCRIPT)
    words = {
        "script": ["program.py"], "module": ["-m", "program"], "-c": ["-c", SCRIPT], "input": ["-"], "prompt": ["-i"],
    }[way]  # fmt: skip
    text = SCRIPT if way in ("input", "prompt") else None
    done = subprocess.run([sys.executable, *words], input=text, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the program runs") == 1, done.stdout
    assert "there are 2 0 trials" in done.stdout
    assert "Traceback" not in done.stderr


def test_it_is_the_command(said: Said) -> None:
    found = tlx.sweep(WORDS, seed=range(2), jobs=1)
    assert "0 trials run, 2 already finished" in said("sweep", *WORDS.split(), "seed=0,1", "--jobs", "1")
    rows = json.loads(said("results", found.folder.name, "--json"))["trials"]
    for row in rows:
        row["folder"] = str(Path(row["folder"]).absolute())  # the command names them from where one is
    assert found.results.replace({np.nan: None}).to_dict("records") == rows
    assert tlx.results(found).equals(found.results)
    assert tlx.results("sweep").equals(found.results)
    assert [run.metrics for run in found.runs] == [tlx.train(WORDS, seed=seed).metrics for seed in (0, 1)]
    whole = tlx.results()
    assert set(whole["seed"]) == {0, 1}
    assert list(tlx.results(found.runs[0])["folder"]) == [found.runs[0].folder]
    assert "<table" in found._repr_html_()
    assert "2 trials finished" in repr(found)


def test_data_of_the_program_reach_its_processes() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    data = tlx.dataset_from(rng.integers(0, 100, (60, 8, 8)) + 100 * labels[:, None, None], labels)
    found = tlx.sweep("backbone=pixels strategy=logistic tracking=none", dataset=data, seed=[0, 1], jobs=1)
    assert not found.failures
    assert set(found.results["test/acc"]) == {1.0}


def test_a_trial_that_fails_is_told(capsys: pytest.CaptureFixture[str], registered: None) -> None:
    found = tlx.sweep(
        "backbone=pixels strategy=feature_extraction dataset=digits tracking=none", jobs=1,
        strategy={"budget": "4 steps", "lr": [0.01, 1e30]},
    )  # fmt: skip
    assert [len(found.runs), len(found.failures)] == [1, 1]
    assert found.failures[0].reason
    assert f"failed: {found.failures[0].trial}" in capsys.readouterr().out
    assert sorted(found.results["state"]) == ["done", "failed"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"seed": []}, "no values are given"),
        ({"jobs": 0}, "expected a number of trials at once"),
        ({"dataset": [{"choice": "digits"}, {"choice": "glyphs"}]}, "are varied by name"),
        ({"hydra/launcher": "slurm"}, "use the command"),
        ({"strategy.lrr": [1, 2]}, "unknown key"),
    ],
)
def test_a_mistake_starts_nothing(folder: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        tlx.sweep(WORDS, **settings)
    assert not list(folder.iterdir())


@dataclass
class Mine:
    """A part of a notebook."""

    rounds: int = option(3, "how many")


def test_a_part_of_the_program_itself_is_refused(registered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "Mine", Mine, raising=False)
    monkeypatch.setattr(Mine, "__module__", "__main__")
    register("callback", "mine", Mine, "__main__:Mine", capabilities={"resumable"})
    with pytest.raises(ConfigError, match="is known to this process alone; put __main__ into a module"):
        tlx.sweep(WORDS, seed=[0, 1], callbacks={"mine": {}})


def test_there_are_no_results_yet(folder: Path) -> None:
    assert tlx.results().empty
    with pytest.raises(ConfigError, match="holds no sweep"):
        tlx.results("quickstart")
    (folder / "mine").mkdir()
    assert tlx.results(output="mine").empty
    for which in (None, "quickstart"):
        with pytest.raises(ConfigError, match="did you mean mine"):
            tlx.results(which, output="mien")
    with pytest.raises(ConfigError, match="300 bytes"):
        tlx.results(output="x" * 300)
