"""Random trees of experiments and groups: every way to a trial gives what plain Hydra gives."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.errors import HydraException
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import tlx
from tlx.composition.tree import start
from tlx.config.errors import ConfigError
from tlx.config.schema import Trial
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.search.scheduler import SearchScheduler
from tlx.orchestration.study.scheduler import StudyScheduler

OPTIONS = {
    "backbone": ["narrow_resnet", "pixels", "resnet18"],
    "dataset": ["digits", "glyphs"],
    "strategy": ["scratch", "lp_ft", "feature_extraction", "own", "nested/own"],
    "hardware": ["cpu", "auto"],
}
SETTINGS: dict[str, list[Any]] = {
    "strategy.lr": [0.01, 0.5, "${strategy.min_scale}"],
    "strategy.backbone_lr": [None, 0.03, "${strategy.lr}"],
    "strategy.budget": ["4 steps", "2 epochs"],
    "strategy.phases": [[{"train": ["head"], "until": "50%"}, {"train": ["all"]}]],
    "strategy.min_scale": [0.1, 0.2],
    "dataset.shots": [None, 3, "${seed}"],
    "seed": [1, 7],
    "hardware.accumulate": [1, 2],
}
choices = st.fixed_dictionaries({}, optional={group: st.sampled_from(names) for group, names in OPTIONS.items()})
values = st.fixed_dictionaries({}, optional={key: st.sampled_from(found) for key, found in SETTINGS.items()})


@st.composite
def experiments(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Up to four files, each of which may start from those before it."""
    found: dict[str, dict[str, Any]] = {}
    for number in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(["", "papers/", "papers/first/"])) + f"e{number}"
        parents = draw(st.lists(st.sampled_from([*found]), max_size=2, unique=True)) if found else []
        optional = draw(st.booleans())
        entries: list[Any] = [f"/experiment/{parent}" for parent in parents]
        entries += [{"optional /extra": "not_there"}] if optional else []
        first = {} if found else {"backbone": "narrow_resnet", "dataset": "digits"}
        entries += [{f"override /{group}": option} for group, option in {**first, **draw(choices)}.items()]
        if draw(st.booleans()):
            entries.insert(draw(st.integers(0, len(entries))) if parents else len(entries), "_self_")
        found[name] = {"defaults": entries, **nested(draw(values))}
    return found


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *steps, last = key.split(".")
        node = tree
        for step in steps:
            node = node.setdefault(step, {})
        node[last] = value
    return tree


def word(key: str, value: Any) -> str:
    return f"{key}={'null' if value is None else repr(value) if isinstance(value, str) and ' ' in value else value}"


def plain(words: list[str]) -> Trial | None:
    """What Hydra itself makes of it; null where it refuses."""
    start()
    try:
        with initialize_config_module("tlx.conf", version_base="1.3"):
            found = OmegaConf.to_object(hydra_compose("trial", overrides=words))
    except (HydraException, OmegaConfBaseException, RecursionError):
        return None
    assert isinstance(found, Trial)
    return found


def same(one: Trial, other: Trial) -> bool:
    """Are they equal but for what a sweep says of each?"""
    plain_one, plain_other = (
        asdict(replace(trial, group=None, study=None, search=None, sweep=other.sweep)) for trial in (one, other)
    )
    return plain_one == plain_other and type(one.dataset) is type(other.dataset)


def write(folder: Path, found: dict[str, dict[str, Any]], own: dict[str, Any]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in found.items():
        path = folder / "experiments" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# @package _global_\n" + yaml.safe_dump(content, sort_keys=False))
    inner = nested(own).get("strategy", {})
    for name, parent in (("own", "lp_ft"), ("nested/own", "/strategy/own")):
        path = folder / "conf/strategy" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"defaults": [parent, "_self_"], "name": Path(name).name, **inner}))
    os.chdir(folder)


@given(found=experiments(), own=values, typed=values, chosen=choices, lr=st.sampled_from([0.02, 0.2]))
@settings(max_examples=max(8, settings().max_examples // 3))
def test_every_way_to_a_trial_is_hydra_s(
    tmp_path_factory: pytest.TempPathFactory,
    found: dict[str, dict[str, Any]],
    own: dict[str, Any],
    typed: dict[str, Any],
    chosen: dict[str, str],
    lr: float,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "composition"
    write(folder, found, own)
    words = [f"experiment={list(found)[-1]}", *(word(*one) for one in {**chosen, **typed}.items())]
    wanted = plain(words)
    try:
        trial = tlx.compose(words)
    except ConfigError:  # what Hydra refuses as well, or tlx alone knows to be wrong
        return
    assert wanted is not None
    assert same(trial, wanted)

    varied = {"strategy.lr": lr, "seed": 5}
    try:
        expected = [plain([*words, f"strategy.lr={lr}", f"seed={seed}"]) for seed in (5, 6)]
        swept = sweeps.plan([*words, f"strategy.lr={lr}", "seed=5,6"])
    except ConfigError:
        return
    assert [same(one, other) for one, other in zip(swept, expected, strict=True) if other is not None] == [True, True]
    assert same(tlx.compose(words, varied), swept[0])

    arms: dict[str, dict[str, list[str]]] = {"a": {"overrides": []}, "b": {"overrides": ["strategy=scratch"]}}
    study = {"question": "?", "axis": "strategy.lr", "points": [lr], "seeds": [5], "control": "a", "arms": arms}
    path = folder / "experiments/study.yaml"
    entries = [f"/experiment/{list(found)[-1]}", "_self_"]
    path.write_text("# @package _global_\n" + yaml.safe_dump({"defaults": entries, "study": study}, sort_keys=False))
    more = ["experiment=study", *words[1:]]
    try:
        jobs = StudyScheduler("study", more).initial_jobs()
    except ConfigError:
        return
    by_hydra = [plain([*more, *arm["overrides"], f"strategy.lr={lr}", "seed=5"]) for arm in arms.values()]
    if "strategy" in chosen:  # the command line's word counts for every arm
        by_hydra[1] = by_hydra[0]
    for job, other in zip(jobs, by_hydra, strict=False):
        assert other is not None
        assert same(replace(job.trial, hardware=other.hardware), other)


def test_a_search_gives_what_hydra_gives(folder: Path) -> None:
    pytest.importorskip("optuna")
    entries = [{"override /backbone": "narrow_resnet"}, {"override /dataset": "digits"}]
    write(folder / "here", {"base": {"defaults": entries}}, {})
    space = {"strategy.lr": {"low": 0.001, "high": 0.1, "log": True}, "strategy": ["scratch", "lp_ft"]}
    text = yaml.safe_dump(
        {
            "defaults": ["base", "_self_"],
            "strategy": {"backbone_lr": "${strategy.lr}"},
            "search": {"question": "?", "space": space, "n_trials": 4, "sampler": "random"},
        }
    )
    Path("experiments/found.yaml").write_text(f"# @package _global_\n{text}")
    seeker = SearchScheduler("found", ["experiment=found", "strategy.budget='8 steps'"])
    jobs = seeker.initial_jobs(4)
    assert len(jobs) == 4
    for job in jobs:
        trial = job.trial
        words = [*seeker.words, f"strategy={trial.strategy.name}", f"strategy.lr={trial.strategy.lr!r}"]
        other = plain(words)
        assert other is not None
        assert trial.strategy.backbone_lr == trial.strategy.lr
        assert same(replace(trial, hardware=other.hardware), other)
