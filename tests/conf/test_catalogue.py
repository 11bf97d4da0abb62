"""Every shipped option composes, alone and with the others, and says in its first line what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import tlx
from tlx.components import groups
from tlx.composition import rules
from tlx.config.errors import ConfigError
from tlx.config.schema import GROUPS

REPOSITORY = Path(__file__).parents[2]


def _kind(backbone: str) -> str:
    """The family of a backbone, as its file names it."""
    text = (REPOSITORY / "conf" / "backbone" / f"{backbone}.yaml").read_text()
    return str(next(iter(yaml.safe_load(text)["defaults"][0].values())))


FILES = sorted(path.relative_to(REPOSITORY) for path in (REPOSITORY / "conf").glob("*/*.yaml"))
EXPERIMENTS = sorted(path.relative_to(REPOSITORY) for path in (REPOSITORY / "experiments").glob("*.yaml"))
STRATEGIES = [path.stem for path in FILES if path.parent.name == "strategy"]
BACKBONES = [path.stem for path in FILES if path.parent.name == "backbone"]
NAMES = {"timm": "backbone.name=resnet18", "transformers": "backbone.name=bert-base-uncased"}
PEFT = {"lora", "dora", "ia3", "bottleneck", "prefix", "prompt"}
NEEDS_WEIGHTS = PEFT | {"l2_sp", "delta", "auto_rgn", "autofreeze", "egeria"}  # to adapt, keep near, or watch
TABLES = {"columns", "narrow_mlp"}
TEXTS = {"bert_base", "distilbert", "gpt2", "narrow_bert", "roberta", "transformers"}
# one of each family and modality: what goes with a strategy follows from those
FAMILIES = {(_kind(name), name in TEXTS, name in TABLES): name for name in reversed(BACKBONES)}.values()


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which every hardware option is possible."""
    monkeypatch.setattr(rules, "cluster", lambda: "slurm")


@pytest.fixture(autouse=True)
def _data(folder: Path) -> None:
    (folder / "photos" / "cat").mkdir(parents=True)
    (folder / "rows.csv").write_text("text,label\n")


def request_for(group: str, option: str) -> list[str]:
    """A request with this option, and the values it cannot do without."""
    chosen = {"backbone": "resnet18", "strategy": "fine_tune", "dataset": "digits", group: option}
    if group == "backbone" and option in TEXTS:
        chosen["dataset"] = "docstrings"
    if group == "backbone" and option in TABLES:
        chosen["dataset"] = "tabular"
    if group == "dataset" and option in ("csv", "docstrings", "hub_text"):
        chosen["backbone"] = "bert_base"
    if group == "dataset" and option == "tabular":
        chosen["backbone"] = "columns"
    words = [f"{name}={value}" for name, value in chosen.items()]
    needed = {
        "csv": ["dataset.file=rows.csv"],
        "image_table": ["dataset.file=rows.csv"],
        "tabular": ["dataset.file=rows.csv"],
        "imagefolder": ["dataset.root=photos"],
        "hub_image": ["dataset.name=cifar10"],
        "hub_text": ["dataset.name=imdb"],
    }
    words += needed.get(chosen["dataset"], [])
    return [*words, NAMES[option]] if option in NAMES else words


def test_every_group_of_the_schema_has_options_and_no_other_folder_is_there() -> None:
    assert {path.parent.name for path in FILES} == set(GROUPS)


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_option_composes_to_what_its_file_says(file: Path) -> None:
    group = file.parent.name
    trial = tlx.compose(request_for(group, file.stem))
    written = yaml.safe_load((REPOSITORY / file).read_text())
    defaults = written.pop("defaults")
    (kind,) = (value for entry in defaults if isinstance(entry, dict) for value in entry.values())
    chosen = getattr(trial, group)
    assert type(chosen) is groups.options(group)[kind]
    for key, value in written.items():
        if value != "???" and not isinstance(value, (dict, list)):
            found = getattr(chosen, key)
            assert found == (type(found)(value) if isinstance(found, float) else value), key


@pytest.mark.parametrize("file", [*FILES, *EXPERIMENTS, Path("conf/trial.yaml")], ids=str)
def test_its_first_line_says_what_it_is(file: Path) -> None:
    lines = (REPOSITORY / file).read_text(encoding="utf-8").splitlines()
    first = lines[1] if lines[0] == "# @package _global_" else lines[0]
    assert first.startswith("# ")
    assert 5 < len(first) <= 120


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_family_of_backbones_goes_with_every_strategy(strategy: str) -> None:
    assert 5 < len(FAMILIES) < len(BACKBONES)
    for backbone in FAMILIES:
        words = [*request_for("backbone", backbone), f"strategy={strategy}"]
        if backbone in ("pixels", "columns") and strategy in NEEDS_WEIGHTS:
            with pytest.raises(ConfigError, match=f"backbone={backbone} has no weights"):
                tlx.compose(words)
            continue
        trial = tlx.compose(words)
        assert trial.strategy.name == strategy
        assert trial.backbone.modality == ("text" if backbone in TEXTS else "table" if backbone in TABLES else "image")


@pytest.mark.parametrize("file", [path for path in FILES if path.parent.name == "strategy"], ids=lambda path: path.stem)
def test_a_strategy_is_named_as_its_file(file: Path) -> None:
    assert yaml.safe_load((REPOSITORY / file).read_text())["name"] == file.stem


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_composes_to_what_its_file_says(file: Path) -> None:
    trial = tlx.compose([f"experiment={file.stem}"])
    written = yaml.safe_load((REPOSITORY / file).read_text())
    assert trial.group == file.stem
    assert (trial.study is not None) == ("study" in written)
    for key, value in written.get("strategy", {}).items():
        assert getattr(trial.strategy, key) == value, key


STUDIES = [path for path in EXPERIMENTS if "study" in yaml.safe_load((REPOSITORY / path).read_text())]


@pytest.mark.long
@pytest.mark.parametrize("file", STUDIES, ids=lambda path: path.stem)
def test_every_arm_of_a_study_composes(file: Path) -> None:
    study = tlx.compose([f"experiment={file.stem}"]).study
    assert study is not None
    assert study.control in study.arms
    assert len(study.seeds) >= 5  # what a claim needs
    for name, arm in study.arms.items():
        for point in study.points:
            words = [f"experiment={file.stem}", *arm.overrides, f"{study.axis}={point}"]
            tuned = [f"{key}={value}" for key, values in arm.tune.items() for value in values]
            for extra in tuned or ["seed=1"]:
                trial = tlx.compose([*words, extra])
                assert trial.group == file.stem, name
