"""The JSON Schema of configuration files says what the command line says, of right files and of mutated ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some
from jsonschema import Draft202012Validator
from omegaconf import OmegaConf

import tlx
from tests.conftest import Said
from tlx.composition import json_schema
from tlx.config.errors import ConfigError
from tlx.config.schema import GROUPS

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "experiments").glob("*.yaml"))
# what the command line says of a file whose keys or values have another shape than its options
SHAPE = (
    "unknown key",
    "wrong type",
    "not one of",
    "belongs to the choice",
    "expected keys and values",
    "expected a list",
)
EXPERIMENT = Draft202012Validator(json_schema.of_experiment())

CHOSEN = {"backbone": "resnet18", "dataset": "digits", "strategy": "lora"}


def plain(path: Path) -> dict[str, Any]:
    """A file as an editor sees it."""
    found: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(path), resolve=False)  # type: ignore[assignment]
    return found


def bases() -> list[dict[str, Any]]:
    """The shipped experiments, and one with every kind of value."""
    everything = {
        "defaults": [{f"override /{key}": value} for key, value in CHOSEN.items()],
        "strategy": {
            "budget": "3 epochs",
            "lr": 0.1,
            "backbone_lr": None,
            "batch_size": 16,
            "optimizer": {"name": "sgd", "momentum": 0.5, "args": {"nesterov": True}},
            "schedule": {"shape": "cosine", "warmup": "10%"},
            "lr_mult": {"norm": 2.0},
            "phases": [{"train": ["head"], "until": "50%"}, {"train": ["peft"], "plateau": {"patience": 2}}],
            "peft": {"kind": "lora", "rank": 4},
            "keep": "last",
        },
        "backbone": {"dropout": 0.1, "input": {"size": 32, "mean": [0.5]}, "args": {"a": [1, {"b": "c"}]}},
        "dataset": {"shots": 5, "augment": "shift"},
        "hardware": {"accelerator": "cpu", "workers": 0, "compile": False},
        "reuse": {"when": "auto"},
        "tracking": {"kind": "none"},
        "loggers": {"csv": {}, "wandb": {"mode": "offline", "patience": 5.5}},
        "seed": 3,
        "sweep": {"exclude": [{"seed": 1}], "minutes": 5},
    }
    return [everything, *map(plain, SHIPPED)]


BASES = bases()
values = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-3, 10**6),
    some.floats(-5, 5, allow_nan=False).filter(lambda number: not number.is_integer()),  # 3.0 is an integer to JSON
    some.sampled_from(["", "word", "adamw", "5", "1e-3", "2.5", "yes", "false", "-1", "head", "10%", "3 epochs"]),
    some.sampled_from([[], ["a"], [1, 2], {}, {"a": 1}, {"name": "sgd"}, [{"train": ["head"]}], [[1]]]),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value but those of the list of defaults."""
    found = [path] if path else []
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        if not (path == () and key == "defaults"):
            found += places(value, (*path, key))
    return found


@some.composite
def mutated(draw: some.DrawFn) -> dict[str, Any]:
    """An experiment in which one or two things are something else."""
    found = copy.deepcopy(draw(some.sampled_from(BASES)))
    for _ in range(draw(some.integers(1, 2))):
        path = draw(some.sampled_from(places(found)))
        holder = found
        for key in path[:-1]:
            holder = holder[key]
        kind = draw(some.sampled_from(["value", "value", "name", "more", "less"]))
        if kind == "value":
            holder[path[-1]] = copy.deepcopy(draw(values))
        elif kind == "less":
            del holder[path[-1]]
        elif isinstance(holder, dict):
            name = draw(some.sampled_from(["nme", "lrr", "kind", "args", "name", "lr"]))
            holder[name] = holder.pop(path[-1]) if kind == "name" else copy.deepcopy(draw(values))
    return dict(found)


def told(document: dict[str, Any], folder: Path) -> list[str] | None:
    """What the command line says of a file: None where nothing."""
    (folder / "experiments").mkdir(exist_ok=True)
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    (folder / "experiments" / "mine.yaml").write_text(f"# @package _global_\n{text}", encoding="utf-8")
    try:
        tlx.compose(["experiment=mine", "hardware=cpu"])
    except ConfigError as error:
        return [f"{one.key}: {one.message}" for one in error.problems]
    return None


@settings(max_examples=15)
@given(document=mutated())
def test_it_says_of_mutated_files_what_the_command_line_says(document: dict[str, Any], folder: Path) -> None:
    wrong = [f"{one.json_path}: {one.message[:200]}" for one in EXPERIMENT.iter_errors(document)]
    said = told(document, folder)
    if wrong:
        assert said is not None, wrong
    else:
        shape = [line for line in said or () if line.partition(": ")[2].startswith(SHAPE)]
        assert not shape, document


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_experiments_are_right(path: Path) -> None:
    assert [one.message for one in EXPERIMENT.iter_errors(plain(path))] == []


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_shipped_options_are_right(group: str) -> None:
    validator = Draft202012Validator(json_schema.of_group(group))
    paths = sorted((ROOT / "conf" / group).glob("*.yaml"))
    assert paths
    for path in paths:
        assert [one.message for one in validator.iter_errors(plain(path))] == [], path


def test_settings_are_those_of_the_kind_that_was_chosen() -> None:
    document = {"defaults": [{"override /backbone": "pixels"}], "backbone": {"pooling": "mean"}}
    assert [one.json_path for one in EXPERIMENT.iter_errors(document)] == ["$.backbone"]
    document["defaults"] = [{"override /backbone": "bert_base"}]
    assert not list(EXPERIMENT.iter_errors(document))
    assert list(EXPERIMENT.iter_errors({"strategy": {"lr": -1}}))


def test_the_verb_writes_it(folder: Path, said: Said) -> None:
    assert json.loads(said("schema")) == json_schema.of_experiment()
    assert json.loads(said("schema", "backbone")) == json_schema.of_group("backbone")
    assert "did you mean backbone?" in said("schema", "backbon", code=2)
    assert "experiment.schema.json" in said("schema", "--out", "experiment.schema.json")
    assert json.loads(Path("experiment.schema.json").read_text(encoding="utf-8")) == json_schema.of_experiment()
