"""A value of another kind than its key takes: whatever the key, what is told is what to type, and it is taken."""

from __future__ import annotations

import re
import shlex
import types
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from omegaconf import DictConfig, OmegaConf

import tlx
from tests.composition.told import BASE, problems, the_problem, told
from tlx.components import registry
from tlx.composition import check, request
from tlx.composition.tree import tree

PARTS = (
    "strategy.phases.0.plateau={patience: 2}", "strategy.phases.0.threshold={value: 1}",
    "strategy.phases.0.schedule={shape: linear}", "strategy.phases.0.expand={levels: 2}", "strategy.peft={kind: lora}",
    "strategy.regulariser={kind: bss}", "strategy.controller={kind: egeria}", "strategy.averaging={kind: ema}",
    "task.metrics.fbeta={}", "task.metrics.top_k={}", "callbacks.gradient_norm={}", "loggers.csv={}",
    "study={question: q}", "search={question: q}", "search.pruning={kind: asha}",
)  # fmt: skip
CHOICES = (
    ("backbone=resnet18", "dataset=digits", "task=classification"),
    ("backbone=narrow_bert", "dataset=csv"),
    ("backbone=narrow_mlp", "dataset=tabular", "task=regression"),
    ("backbone=distilbert", "dataset=imagefolder"),
)
WRONG = {"a word": "nonsense", "a list": "[[1],[2]]", "keys": "{zz: {a: 1}}", "null": "null"}
INNER = (
    "subclass",
    "DictConfig",
    "ListConfig",
    "Dict[",
    "Node",
    "Invalid",
    "Cannot",
    "Optional",
    "full_key",
    "zz' not",
)


def places(config: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of a configuration with the type of its field."""
    kind = OmegaConf.get_type(config) if isinstance(config, DictConfig) and config is not None else None
    if kind is None or not is_dataclass(kind):
        return
    for name, hint in get_type_hints(kind).items():
        child = None if OmegaConf.is_missing(config, name) else OmegaConf.select(config, name)
        if path or name not in ("backbone", "strategy", "dataset", "task", "hardware", "reuse", "tracking"):
            yield f"{path}{name}", hint
        yield from places(child, f"{path}{name}.")
        if OmegaConf.is_list(child):
            for index, one in enumerate(child or []):
                yield from places(one, f"{path}{name}.{index}.")


def is_wrong(hint: Any, how: str) -> bool:
    """Is a value of this kind one that the type does not take?"""
    optional = get_origin(hint) in (Union, types.UnionType)
    if how == "null":
        return not optional and hint is not Any
    kind = next(one for one in get_args(hint) if one is not type(None)) if optional else hint
    if kind is Any or (how == "a word" and kind is str) or (how == "keys" and get_origin(kind) is dict):
        return False
    if how == "a word" and is_dataclass(kind):
        return not any(one.metadata.get("short") for one in fields(kind))
    return not (how == "a list" and kind in (list[Any], list[list[int]]))


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("choices", CHOICES, ids=[words[1].partition("=")[2] for words in CHOICES])
def test_every_key_says_what_it_takes(choices: tuple[str, ...], how: str) -> None:
    """All at once, the inner keys first, so that every key is still there when it is asked for."""
    base = tree(choices)
    parts = PARTS if choices is CHOICES[0] else ()
    check.settings(base, request.read(parts).settings)
    every = sorted(places(base), key=lambda one: (-one[0].count("."), one[0]))
    groups = ("backbone.", "dataset.", "task.")  # what differs between the trials; the first has all others
    keys = {key: hint for key, hint in every if is_wrong(hint, how) and (parts or key.startswith(groups))}
    assert len(keys) > 20
    found = problems([*choices, *parts, *(f"{key}={WRONG[how]}" for key in keys)])
    for key in keys:
        said = [one.message for one in found if one.key == key or one.key.startswith(f"{key}.")]
        assert said, key
        assert not any(word in text for text in said for word in INNER), said
        assert any(text.startswith(("wrong type: expected ", "unknown key; ", "not one of ")) for text in said), said
    examples = [match for one in found for match in re.findall(r"such as (.*=.*)$", one.message) if "..." not in match]
    assert len(examples) > 10
    typed = told(*choices, *parts, *(word for one in reversed(examples) for word in shlex.split(one)))
    assert not {key: text for key, text in typed.items() if "wrong type" in text or "unknown key" in text}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("strategy.phases.0.plateau=5", "min_delta) or null, such as strategy.phases.0.plateau.patience=5"),
        ("dataset.group=p", "(column, pattern), such as dataset.group.column=p"),
        ("strategy.phases=[{train: [all], plateau: 5}]", "or null, such as plateau: {patience: 5}"),
        ("task.metrics=[auroc,brier]", "such as task.metrics.auroc={} task.metrics.brier={}"),
        ("task.loss.weights=[1,2]", "names, each with a number, such as task.loss.weights={name:1.0}"),
        ("task.loss.class_weight=[1,2]", "wrong type: expected one of none, auto, effective"),
        ("loggers=csv", "such as loggers.csv={}"),
        ("strategy.phases.0.freeze=backbone", "a list of words, such as strategy.phases.0.freeze=[backbone]"),
        ("strategy.phases=null", "wrong type: expected a list of keys and values (train, freeze, until,"),
        ("strategy.lr.head=1", "strategy.lr has no keys; wrong type: expected a number, such as strategy.lr=0.001"),
        ("strategy.peft.rank=4", "strategy.peft is null; write 'strategy.peft={kind: lora, rank: 4}'"),
        ("strategy.averaging.kind=ema", "strategy.averaging is null; write 'strategy.averaging=ema'"),
        ("~strategy.phases.0.plateau.patience", "strategy.phases.0.plateau is null: there is nothing to take away"),
        ("strategy.controller.percentile=9", "write 'strategy.controller={kind: autofreeze, percentile: 9}'"),
    ],
)  # fmt: skip
def test_the_example_is_made_of_what_was_given(words: str, said: str) -> None:
    problem = the_problem([*BASE, words])
    assert problem.key.startswith(words.lstrip("~").partition("=")[0])
    assert said in problem.message


def test_a_part_that_is_null_begins_with_one_of_its_keys() -> None:
    one = tlx.compose([*BASE, "strategy.phases.0.plateau.patience=5", "strategy.phases.0.plateau.min_delta=0.1"])
    assert one == tlx.compose([*BASE, "strategy.phases.0.plateau={patience: 5, min_delta: 0.1}"])
    problem = the_problem([*BASE, "strategy.phases.0.plateau.patiense=5"])
    assert (problem.key, "mean strategy.phases.0.plateau.patience?" in problem.message) == (
        "strategy.phases.0.plateau.patiense",
        True,
    )


@pytest.mark.parametrize(
    ("body", "key", "said"),
    [
        ("strategy: {phases: [{train: [all], plateau: 5}]}", "strategy.phases.0.plateau", "plateau: {patience: 5}"),
        ("dataset: {group: p}", "dataset.group", "group: {column: p}"),
        ("strategy: {lr: {head: 1}}", "strategy.lr.head", "lr: 0.001"),
        ("strategy: {phases: [head]}", "strategy.phases.0", "such as {train: [head]}"),
        ("strategy: lora", "strategy", "in the list of defaults: - override /strategy: <name> (tlx list strategy)"),
    ],
)
def test_a_file_is_shown_what_to_write_there(folder: Path, body: str, key: str, said: str) -> None:
    path = folder / "experiments/wrong.yaml"
    path.parent.mkdir()
    head = "# @package _global_\ndefaults: [override /backbone: resnet18, override /dataset: digits]\n"
    path.write_text(f"{head}{body}\n")
    problem = the_problem(["experiment=wrong"])
    assert (problem.key, problem.where) == (key, "experiments/wrong.yaml:3")
    assert said in problem.message


class Speed(Enum):
    """Of which OmegaConf knows how it is written."""

    SLOW = 1
    FAST = 2


@dataclass
class Wide:
    """Options of types that are told by OmegaConf itself."""

    strength: int | float = 1
    name: int | str | None = None
    speed: Speed = Speed.SLOW
    place: Path = Path()
    count: int = 1


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ("{strength: 2}", []),
        ("{strength: 2.5, name: x}", []),
        ("{strength: oops}", ["strength"]),
        ("{strength: [1]}", ["strength"]),
        ("{speed: FAST, place: y, name: null}", []),
        ("{speed: FAST, place: y, count: oops}", ["count"]),
        ("{speed: oops}", ["speed"]),
    ],
)
def test_options_of_any_type_that_omegaconf_reads(
    given: str, wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is right beside something wrong is not told to be wrong; nothing ends with a traceback."""
    monkeypatch.setattr(registry, "_COMPONENTS", {group: dict(own) for group, own in registry._COMPONENTS.items()})
    registry.register("metric", "wide", Wide, "tests.composition.test_expected:nothing")
    found = told(*BASE, f"task.metrics.wide={given}")
    assert len(found) == len(wrong), found
    assert all(name in key or name in text for name, (key, text) in zip(wrong, found.items(), strict=True)), found
