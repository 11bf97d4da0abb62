"""Mistakes in the user's own files: the file is named, for an experiment its line too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlx
from tlx.config.errors import ConfigError, ConfigIssue

BASE = ("backbone=resnet18", "dataset=digits")


def problems(overrides: Sequence[str]) -> list[ConfigIssue]:
    with pytest.raises(ConfigError) as caught:
        tlx.compose(overrides)
    return caught.value.problems


def strategy(folder: Path, name: str, body: str) -> list[str]:
    """A strategy file with this body, and the request for it."""
    file = folder / "conf" / "strategy" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"# mine\ndefaults: [{{/schema/strategy@_here_: phased}}, _self_]\nname: {name}\n{body}")
    return [*BASE, f"strategy={name}"]


def experiment(folder: Path, name: str, text: str) -> list[str]:
    """An experiment file, and the request for it."""
    file = folder / "experiments" / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return [f"experiment={name}"]


HEAD = "# @package _global_\ndefaults: [override /backbone: resnet18, override /dataset: digits]\n"
FIELDS = ["seed", "output", "strategy.lr", "strategy.budget", "strategy.phases", "dataset.shots", "hardware.threads"]


@given(key=st.sampled_from(FIELDS), target=st.sampled_from([*FIELDS, "nowhere", "strategy", "strategy.optimizer.name"]))
@settings(max_examples=max(10, settings().max_examples))
def test_a_reference_is_followed_or_told_with_its_line(folder: Path, key: str, target: str) -> None:
    """It leads to a value that fits, or to nothing, or to one of another kind."""
    *steps, last = key.split(".")
    line = "".join(f"{step}: {{" for step in steps) + f'{last}: "${{{target}}}"' + "}" * len(steps)
    words = experiment(folder, "refers", f"{HEAD}{line}\n")
    found: list[ConfigIssue] = []
    try:
        tlx.compose(words)
    except ConfigError as error:
        found = error.problems
    assert all(one.message for one in found)
    assert {one.where for one in found if one.key == key} <= {"experiments/refers.yaml:3", ""}


PHASE = "phases: [{train: [head]}]\n"
WRONG_GROUPS = {
    "key": (f"batchsize: 3\n{PHASE}", "strategy.batchsize", "did you mean strategy.batch_size?"),
    "nested_key": (f"optimizer: {{nam: sgd}}\n{PHASE}", "strategy.optimizer.nam", "mean strategy.optimizer.name?"),
    "phase_key": ("phases: [{trian: [head]}]\n", "strategy.phases.0.trian", "mean strategy.phases.0.train?"),
    "kind": (f"lr: fast\n{PHASE}", "strategy.lr", ""),
    "nested_kind": (f"optimizer: {{momentum: much}}\n{PHASE}", "strategy.optimizer.momentum", ""),
    "word": (f"keep: worst\n{PHASE}", "strategy.keep", "best, last"),
    "length": (f"budget: long\n{PHASE}", "strategy.budget", "3 epochs"),
}


@pytest.mark.parametrize("case", WRONG_GROUPS)
def test_a_mistake_in_a_group_file_names_the_key_and_the_file(folder: Path, case: str) -> None:
    body, key, message = WRONG_GROUPS[case]
    (problem,) = problems(strategy(folder, f"wrong_{case}", body))
    assert problem.key == key
    assert message in problem.message
    assert problem.where.startswith(f"conf/strategy/wrong_{case}.yaml")


def test_a_group_file_that_is_no_yaml_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"conf/strategy/torn\.yaml"):
        tlx.compose(strategy(folder, "torn", "lr: [1\n"))


def test_mistakes_in_two_group_files_and_on_the_command_line_are_told_together(folder: Path) -> None:
    request = strategy(folder, "one_of_two", f"foo: 3\n{PHASE}")
    other = folder / "conf" / "hardware" / "other_of_two.yaml"
    other.parent.mkdir()
    other.write_text("# mine\ndefaults: [{/schema/hardware@_here_: machine}, _self_]\ndevcies: 2\n")
    found = problems([*request, "hardware=other_of_two", "seed=x"])
    assert {(problem.key, problem.where) for problem in found} == {
        ("strategy.foo", "conf/strategy/one_of_two.yaml:4"),
        ("hardware.devcies", "conf/hardware/other_of_two.yaml:3"),
        ("seed", ""),
    }


WRONG = """\
# @package _global_
# mine
defaults:
  - override /backbone: resnet81
  - override /dataset: digits
  - override /stragety: lp_ft
seed: x
strategy:
  optimizer:
    nam: adam
  lr: 0.5
  keep: worst
hardware: {devcies: 2}
lr: 3
"""


def test_every_mistake_of_an_experiment_names_its_line(folder: Path) -> None:
    found = problems(experiment(folder, "wrong", WRONG))
    assert {(problem.key, problem.value, problem.where) for problem in found} == {
        ("backbone", "resnet81", "experiments/wrong.yaml:4"),
        ("stragety", "lp_ft", "experiments/wrong.yaml:6"),
        ("seed", "x", "experiments/wrong.yaml:7"),
        ("strategy.optimizer.nam", "adam", "experiments/wrong.yaml:10"),
        ("strategy.keep", "worst", "experiments/wrong.yaml:12"),
        ("hardware.devcies", 2, "experiments/wrong.yaml:13"),
        ("lr", 3, "experiments/wrong.yaml:14"),
    }


def test_its_suggestions_are_those_of_the_command_line(folder: Path) -> None:
    found = {problem.key: problem.message for problem in problems(experiment(folder, "wrong", WRONG))}
    assert "did you mean resnet18?" in found["backbone"]
    assert "did you mean strategy?" in found["stragety"]
    assert "did you mean strategy.optimizer.name?" in found["strategy.optimizer.nam"]
    assert "did you mean hardware.devices?" in found["hardware.devcies"]


def test_a_study_is_checked_too(folder: Path) -> None:
    text = (
        "# @package _global_\ndefaults: [{override /backbone: resnet18}, {override /dataset: digits}]\n"
        "study:\n  qestion: why?\n  axis: seed\n  control: a\n  seeds: [0, one]\n"
    )
    found = problems(experiment(folder, "asked", text))
    assert ("study.qestion", "experiments/asked.yaml:4") in {(problem.key, problem.where) for problem in found}
    keys = {problem.key.split(".")[1] for problem in found}
    assert {
        "qestion",
        "question",
        "seeds",
        "axis",
        "points",
        "control",
    } == keys  # a seed is no axis, and there is no arm


def test_an_experiment_that_is_no_yaml_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"experiments/torn\.yaml.*line 2"):
        tlx.compose([*BASE, *experiment(folder, "torn", "# @package _global_\nseed: [1\n")])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("unpackaged", "defaults: [{override /backbone: vit_tiny}, {override /dataset: digits}]\nseed: 1\n"),
        ("not_overriding", "# @package _global_\ndefaults: [{/backbone: vit_tiny}, {/dataset: digits}]\nseed: 1\n"),
        ("a_list", "- a\n- b\n"),
    ],
    ids=["unpackaged", "not_overriding", "a_list"],
)
def test_an_experiment_of_the_wrong_shape_is_named(folder: Path, name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=rf"experiments/{name}\.yaml"):
        tlx.compose([*BASE, *experiment(folder, name, text)])


def test_what_an_experiment_adds_to_a_dict_is_kept(folder: Path) -> None:
    text = (
        "# @package _global_\ndefaults: [{override /backbone: resnet18}, {override /dataset: digits}]\n"
        "backbone: {args: {drop_path_rate: 0.1}}\n"
    )
    request = experiment(folder, "adding", text)
    trial = tlx.compose([*request, "backbone.args.drop_path_rate=0.2"])
    assert vars(trial.backbone)["args"] == {"drop_path_rate": 0.2}


def test_the_command_line_mends_what_an_experiment_gets_wrong(folder: Path) -> None:
    text = (
        "# @package _global_\ndefaults: [{override /backbone: resnet81}, {override /dataset: digits}]\nseed: 3\n"
        "strategy: {batch_size: 0}\n"
    )
    request = experiment(folder, "mended", text)
    trial = tlx.compose([*request, "backbone=vit_tiny", "strategy.batch_size=8"])
    assert (trial.strategy.batch_size, trial.seed) == (8, 3)
