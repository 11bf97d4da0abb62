"""Hydra's own settings: taken, or refused with what tlx has in their place, wherever they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

import tlx
from tests.composition.told import BASE, the_problem, told
from tlx.composition.multirun import outline
from tlx.config.errors import ConfigError

EXPERIMENT = "# @package _global_\ndefaults:\n  - override /backbone: resnet18\n  - override /dataset: digits\n"


def experiment(folder: Path, name: str, rest: str) -> list[str]:
    path = folder / "experiments" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(EXPERIMENT + rest)
    return [f"experiment={name}"]


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        ("hydra/sweeper=optuna", "search:"),
        ("hydra.sweeper.n_trials=3", "search:"),
        ("hydra.run.dir=here", "output=FOLDER"),
        ("hydra.sweep.dir=here", "output=FOLDER"),
        ("hydra.sweep.subdir=x", "output=FOLDER"),
        ("hydra/job_logging=disabled", "run folder"),
        ("hydra.job_logging.root.level=DEBUG", "run folder"),
        ("hydra/hydra_logging=none", "run folder"),
        ("hydra.job.chdir=true", "stay in the folder"),
        ("hydra.searchpath=[x]", "--config-dir"),
        ("hydra/launcher=slurm", "tlx sweep"),
        ("hydra.launcher.partition=gpu", "tlx sweep"),
        ("hydra.verbose=true", "leave it out"),
        ("hydra.job.name=x", "leave it out"),
        ("+hydra.anything=1", "leave it out"),
        ("~hydra.run", "output=FOLDER"),
        ("hydra=x", "leave it out"),
    ],
)
def test_a_setting_of_hydra_s_is_refused_with_what_to_write(word: str, instead: str) -> None:
    problem = the_problem([*BASE, word])
    assert problem.key.lstrip("+~") == word.lstrip("+~").partition("=")[0]
    assert instead in problem.message


@pytest.mark.parametrize(
    ("text", "key", "instead"),
    [
        ("  - override /hydra/sweeper: optuna\n", "override /hydra/sweeper", "search:"),
        ("hydra: {run: {dir: here}}\n", "hydra.run.dir", "output=FOLDER"),
        ("hydra:\n  launcher: {partition: gpu}\n", "hydra.launcher.partition", "command line"),
    ],
)
def test_so_is_one_in_an_experiment_with_its_line(folder: Path, text: str, key: str, instead: str) -> None:
    words = experiment(folder, "mine", text)
    problem = the_problem(words)
    assert (problem.key, instead in problem.message) == (key, True)
    assert problem.where.startswith("experiments/mine.yaml:")
    assert set(told(*words, "sede=1")) == {key, "sede"}  # all at once


def test_so_is_one_in_an_experiment_that_it_starts_from(folder: Path) -> None:
    experiment(folder, "parent", "hydra: {job: {chdir: true}}\n")
    path = folder / "experiments/child.yaml"
    path.write_text("# @package _global_\ndefaults: [parent, _self_]\nseed: 3\n")
    problem = the_problem(["experiment=child"])
    assert (problem.key, problem.where) == ("hydra.job.chdir", "experiments/parent.yaml:5")


def test_an_experiment_names_its_launcher(folder: Path) -> None:
    words = experiment(folder, "far", "  - override /hydra/launcher: slurm\nseed: 4\n")
    about = outline([*words, "seed=1,2"])
    assert (about.kind, about.name, about.launcher) == ("sweep", "far", "slurm")
    assert tlx.compose(words).seed == 4
    assert outline(["experiment=letters"]).launcher == ""


def test_an_unknown_launcher_is_told(folder: Path) -> None:
    with pytest.raises(ConfigError, match="hydra/launcher"):
        outline(experiment(folder, "far", "  - override /hydra/launcher: nowhere\n"))
