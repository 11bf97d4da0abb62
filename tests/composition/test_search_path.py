"""Where configuration files come from: the user's own win over the shipped ones, those over timm's bare names."""

from __future__ import annotations

from pathlib import Path

import pytest

import tlx
from tlx.composition import search_path
from tlx.config.schema import GROUPS

REPOSITORY = Path(__file__).parents[2]
STRATEGY = "# mine\ndefaults: [{{/schema/strategy@_here_: phased}}, _self_]\nname: {0}\nphases: [{{train: [head]}}]\n"
EXPERIMENT = (
    "# @package _global_\n# mine\ndefaults: [{{override /backbone: {0}}}, {{override /dataset: digits}}]\nseed: {1}\n"
)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("group", [*GROUPS, "experiment"])
def test_the_shipped_options_are_those_in_the_package(group: str, folder: Path) -> None:
    home = REPOSITORY / "experiments" if group == "experiment" else REPOSITORY / "conf" / group
    names = sorted(file.stem for file in home.iterdir() if file.suffix == ".yaml")
    assert names
    assert search_path.options(group) == names
    for name in names:
        found = search_path.find(group, name)
        assert found is not None
        assert found.read_bytes() == (home / f"{name}.yaml").read_bytes()


@pytest.mark.parametrize("name", ["nope", "resnet34", "../strategy/nope", ""])
def test_what_has_no_file_is_not_found(name: str) -> None:
    assert search_path.find("backbone", name) is None


def test_the_users_options_are_listed_with_the_shipped_ones_each_once(folder: Path) -> None:
    shipped = search_path.options("strategy")
    write(folder / "conf/strategy/aaa.yaml", STRATEGY.format("aaa"))
    write(folder / "conf/strategy/lp_ft.yaml", STRATEGY.format("other"))
    write(folder / "conf/strategy/notes.txt", "not an option")
    assert search_path.options("strategy") == sorted([*shipped, "aaa"])


def test_a_group_file_of_the_users_is_an_option(folder: Path) -> None:
    file = write(folder / "conf/strategy/users_own.yaml", STRATEGY.format("users_own") + "lr: 0.25\n")
    assert search_path.find("strategy", "users_own") == file
    trial = tlx.compose(["backbone=resnet18", "dataset=digits", "strategy=users_own"])
    assert (trial.strategy.name, trial.strategy.lr) == ("users_own", 0.25)
    assert trial.strategy.batch_size == 32  # the schema's default


def test_a_group_file_of_the_users_wins_over_the_shipped_one(folder: Path) -> None:
    tlx.compose(["backbone=resnet18", "dataset=digits", "strategy=feature_extraction"])
    file = write(folder / "conf/strategy/feature_extraction.yaml", STRATEGY.format("users") + "lr: 0.125\n")
    assert search_path.find("strategy", "feature_extraction") == file
    trial = tlx.compose(["backbone=resnet18", "dataset=digits", "strategy=feature_extraction"])
    assert (trial.strategy.name, trial.strategy.lr) == ("users", 0.125)


def test_a_group_file_of_the_users_wins_over_timms_name(folder: Path) -> None:
    text = "# mine\ndefaults: [{/schema/backbone@_here_: timm}, _self_]\nname: resnet26.bt_in1k\n"
    write(folder / "conf/backbone/resnet26.yaml", text)
    trial = tlx.compose(["backbone=resnet26", "dataset=digits"])
    assert trial.backbone.name == "resnet26.bt_in1k"


@pytest.mark.parametrize("home", ["experiments", "conf/experiment"])
def test_an_experiment_of_the_users_is_found(folder: Path, home: str) -> None:
    write(folder / home / "own.yaml", EXPERIMENT.format("vit_tiny", 11))
    assert "own" in search_path.options("experiment")
    trial = tlx.compose(["experiment=own"])
    assert trial.backbone.name.startswith("vit_tiny")
    assert (trial.seed, trial.group) == (11, "own")


@pytest.mark.parametrize("home", ["experiments", "conf/experiment"])
def test_an_experiment_of_the_users_wins_over_the_shipped_one(folder: Path, home: str) -> None:
    write(folder / home / "letters.yaml", EXPERIMENT.format("vit_small", 13))
    trial = tlx.compose(["experiment=letters"])
    assert trial.backbone.name.startswith("vit_small")
    assert trial.seed == 13
    assert type(trial.dataset).__name__ == "Digits"  # the shipped one has glyphs


def test_a_working_directory_with_blanks_in_its_name_is_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder / "my project (2)"
    write(place / "conf/strategy/blanks.yaml", STRATEGY.format("blanks"))
    write(place / "experiments/blanks.yaml", EXPERIMENT.format("vit_tiny", 3))
    monkeypatch.chdir(place)
    trial = tlx.compose(["experiment=blanks", "strategy=blanks"])
    assert (trial.strategy.name, trial.seed) == ("blanks", 3)


def test_the_repository_itself_is_a_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    away = tlx.compose(["experiment=letters"])
    monkeypatch.chdir(REPOSITORY)
    assert tlx.compose(["experiment=letters"]) == away


def test_other_files_in_the_users_folders_do_not_disturb(folder: Path) -> None:
    write(folder / "conf/strategy/unfinished.yaml", "name: [")
    write(folder / "conf/other/thing.yaml", "a: 1")
    write(folder / "experiments/README.md", "# mine")
    assert tlx.compose(["experiment=letters"]).group == "letters"


@pytest.mark.parametrize("name", ["resnet34", "mobilenetv3_small_100", "vit_tiny_patch16_224"])
def test_any_timm_architecture_is_an_option_by_its_bare_name(name: str) -> None:
    trial = tlx.compose([f"backbone={name}", "dataset=digits", "backbone.input.size=96"])
    assert (trial.backbone.kind, trial.backbone.name, trial.backbone.weights) == ("timm", name, "hub")


def test_a_bare_timm_name_is_only_a_backbone() -> None:
    assert search_path.find("dataset", "resnet34") is None
    with pytest.raises(Exception, match="dataset = resnet34"):
        tlx.compose(["backbone=resnet18", "dataset=resnet34"])
