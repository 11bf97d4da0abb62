"""What ``compose`` gives, held against Hydra itself."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import tlx
from tlx.components import groups
from tlx.composition import search_path
from tlx.config.errors import ConfigError
from tlx.config.schema import Trial

BASE = ("backbone=resnet18", "dataset=digits")
TEXTS = ("backbone=bert_base", "dataset=hub_text", "dataset.name=imdb")

REQUESTS: dict[str, tuple[str, ...]] = {
    "every group": (*BASE, "strategy=lp_ft", "task=classification", "hardware=cpu", "tracking=none"),
    "a number": (*BASE, "strategy.lr=1e-4", "seed=7"),
    "null": (*BASE, "strategy.backbone_lr=null", "strategy.clip=null"),
    "quoted text": (*BASE, "strategy.budget='3 epochs'", 'output="a folder"', "group='3'", "seed='3'"),
    "a list": (*BASE, "strategy.phases.0.train=[head,stem]", "backbone.input.mean=[0.5,0.5,0.5]"),
    "a list of phases": (*BASE, "strategy.phases=[{train:[head],until:'3 epochs'},{train:[all],lr_scale:0.1}]"),
    "an item of a list": (*BASE, "strategy=lp_ft", "strategy.phases.1.lr_scale=0.3"),
    "a node": (*BASE, "strategy.optimizer={name: sgd}", "strategy.optimizer.momentum=0.5"),
    "no plateau": (*BASE, "strategy=lp_ft", "strategy.phases.0.plateau=null"),
    "the last one counts": (*BASE, "seed=1", "backbone=vit_tiny", "seed=2", "strategy=scratch"),
    "an interpolation": (*BASE, "strategy.backbone_lr=${strategy.lr}"),
    "a bare timm name": ("backbone=resnet34", "dataset=digits"),
    "an added argument": (*BASE, "+backbone.args.drop_path_rate=0.1"),
    "added arguments": (*BASE, "+backbone.args={drop_path_rate: 0.1}"),
    "a changed argument": ("backbone=narrow_resnet", "dataset=digits", "backbone.args.layers=[2,2,2,2]"),
    "an added split": (*TEXTS, "++dataset.splits.test=test", "dataset.splits.train=unsupervised"),
    "an experiment": ("experiment=letters",),
    "a study": ("experiment=quickstart",),
    "an experiment, changed": ("experiment=letters", "strategy.budget='1 epochs'", "backbone=vit_tiny", "seed=3"),
    "an experiment, another strategy": ("strategy=lp_ft", "experiment=letters", "dataset.augment=none"),
    "a study, changed": ("experiment=quickstart", "study.seeds=[0,1]", "study.points=[1]"),
}


@cache
def by_hydra(overrides: tuple[str, ...]) -> Trial:
    """The same request, put to Hydra's public API alone."""
    groups.store_schema()
    search_path.register()
    GlobalHydra.instance().clear()
    with initialize_config_module("tlx.conf", version_base="1.3"):
        trial = OmegaConf.to_object(hydra_compose("trial", overrides=list(overrides)))
    assert isinstance(trial, Trial)
    return trial


@pytest.mark.parametrize("name", REQUESTS)
def test_it_composes_what_hydra_composes(name: str) -> None:
    trial = tlx.compose(REQUESTS[name])
    expected = by_hydra(REQUESTS[name])
    assert type(trial.backbone) is type(expected.backbone)
    assert type(trial.dataset) is type(expected.dataset)
    assert asdict(replace(trial, group=None)) == asdict(replace(expected, group=None)) | {"group": None}


@pytest.mark.parametrize(
    "words",
    ["+strategy.lr=0.5", "+backbone=resnet50", "+experiment=letters", "backbone@other=vit_tiny"],
)
def test_it_refuses_what_hydra_refuses(words: str) -> None:
    with pytest.raises(ConfigError):
        tlx.compose([*BASE, words])


@pytest.mark.parametrize(
    ("overrides", "group"),
    [
        (BASE, None),
        ((*BASE, "group=mine"), "mine"),
        (("experiment=letters",), "letters"),
        (("experiment=letters", "group=mine"), "mine"),
    ],
)
def test_runs_are_grouped_under_their_experiment(overrides: tuple[str, ...], group: str | None) -> None:
    assert tlx.compose(overrides).group == group


def test_composing_again_is_not_disturbed_by_what_was_done_to_the_first() -> None:
    first = tlx.compose(BASE)
    first.strategy.phases.clear()
    first.backbone.name = "changed"
    again = tlx.compose(BASE)
    assert again.backbone.name == "resnet18.a1_in1k"
    assert len(again.strategy.phases) == 1


def test_a_group_file_changed_in_between_is_read_again(folder: Path) -> None:
    file = folder / "conf" / "strategy" / "edited.yaml"
    file.parent.mkdir(parents=True)
    head = "# mine\ndefaults: [{/schema/strategy@_here_: phased}, _self_]\nname: edited\n"
    file.write_text(f"{head}phases: [{{train: [head]}}]\n")
    tlx.compose([*BASE, "strategy=edited"])
    file.write_text(f"{head}phases: [{{train: [head], until: 25%}}, {{train: [all]}}]\n")
    trial = tlx.compose([*BASE, "strategy=edited", "strategy.phases.1.lr_scale=0.5"])
    assert [(phase.train, phase.lr_scale) for phase in trial.strategy.phases] == [(["head"], 1.0), (["all"], 0.5)]


def test_an_option_of_the_users_that_changes_another_group(folder: Path) -> None:
    path = folder / "conf" / "hardware" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("# @package _global_\n# Also with another rate.\nhardware: {accelerator: cpu}\nseed: 7\n")
    words = [*BASE, "strategy=lp_ft", "hardware=mine"]
    trial = tlx.compose(words)
    assert (trial.seed, trial.hardware.accelerator, trial.strategy.name) == (7, "cpu", "lp_ft")
