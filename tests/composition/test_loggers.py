"""Loggers are chosen, completed, explained and checked as every part is."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import tlx
from tests.conftest import Said
from tlx.components.registry import Component, of_group
from tlx.composition import json_schema
from tlx.config.errors import ConfigError
from tlx.config.fields import option
from tlx.tracking.logger import Logger


@dataclass
class Options:
    """Of a logger that a stranger wrote."""

    prefix: str = option("", "what names begin with")


class Stranger(Logger):
    """Does nothing."""

    def __init__(self, options: Options) -> None:
        self.options = options


@pytest.fixture(autouse=True)
def _stranger(registered: None) -> None:
    """It is registered as long as a test runs."""
    tlx.register.logger("mine", config=Options)(Stranger)


OURS = list(of_group("logger").values())


@pytest.mark.parametrize("one", OURS, ids=lambda one: one.kind)
def test_ours_are_there_and_need_no_package_to_be_made(one: Component) -> None:
    assert isinstance(one.function()(one.config()), Logger)


@pytest.mark.parametrize(("kind", "package"), [("tensorboard", "tensorboardX"), ("wandb", "wandb")])
def test_a_package_that_is_not_there_is_said_before_anything_starts(
    folder: Path, said: Said, monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    words = ("backbone=pixels", "dataset=digits", "tracking=none", f"loggers.{kind}={{}}")
    for verb in (("train",), ("plan",), ("sweep", "seed=0,1")):
        text = said(*verb, *words, code=2)
        assert f"loggers.{kind}  needs more packages: pip install 'tlx[{kind}]'" in text
    assert not (folder / "runs").exists()


def test_a_strangers_package_is_asked_for_too() -> None:
    tlx.register.logger("far", config=Options, load="nowhere:Far", packages={"no_such_package": "far-logger"})
    with pytest.raises(ConfigError, match="pip install 'far-logger'"):
        tlx.compose(["backbone=pixels", "dataset=digits", "loggers.far={}"])


def test_a_wrong_name_or_option_is_told_with_the_nearest(folder: Path) -> None:
    base = ["backbone=pixels", "dataset=digits"]
    with pytest.raises(ConfigError, match=r"did you mean loggers\.csv"):
        tlx.compose([*base, "loggers.cvs={}"])
    with pytest.raises(ConfigError, match=r"did you mean loggers\.mine\.prefix"):
        tlx.compose([*base, "loggers.mine={prefx: a}"])
    with pytest.raises(ConfigError, match=r"not one of auto, online, offline, disabled"):
        tlx.compose([*base, "loggers.wandb={mode: away}"])
    with pytest.raises(ConfigError, match=r"a number above zero"):
        tlx.compose([*base, "loggers.wandb={patience: 0}"])
    (folder / "experiments").mkdir()
    document = {
        "defaults": [{"override /backbone": "pixels"}, {"override /dataset": "digits"}, "_self_"],
        "loggers": {"csv": {}, "mine": {"prefix": "a/"}},
    }
    (folder / "experiments" / "mine.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(document)}")
    found = tlx.compose(["experiment=mine"]).loggers
    assert (found.mine, found.tensorboard, found.wandb) == (Options("a/"), None, None)
    assert found.csv is not None
    schema = Draft202012Validator(json_schema.of_experiment())
    assert not list(schema.iter_errors(document))
    assert list(schema.iter_errors({"loggers": {"cvs": {}}}))
    assert list(schema.iter_errors({"loggers": {"wandb": {"mode": "away"}}}))


def test_it_is_explained(said: Said) -> None:
    found = said("help", "loggers")
    for kind in ("csv", "tensorboard", "wandb", "mine"):
        assert f".{kind}" in found
    assert "two that differ only here are the same" in found
    assert "one of auto, online, offline, disabled" in said("help", "loggers.wandb.mode")
    assert "did you mean loggers.wandb?" in said("help", "loggers.wand", code=2)
