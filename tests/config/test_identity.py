"""What makes two trials the same: everything that decides the numbers, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

import tlx
from tlx.composition import rules
from tlx.config.fields import option
from tlx.config.identity import identity, identity_fields
from tlx.training.locate import locate

BASE = ("backbone=resnet18", "dataset=digits", "strategy=fine_tune")

DECIDING = [
    "seed=1",
    "strategy.lr=0.02",
    "strategy.backbone_lr=0.02",
    "strategy.batch_size=16",
    "strategy.budget='11 epochs'",
    "strategy.optimizer.weight_decay=0.1",
    "strategy.schedule.warmup=20%",
    "strategy.phases.0.lr_scale=0.5",
    "strategy.phases.0.train=[head]",
    "strategy.frozen_norm=train",
    "strategy.keep=last",
    "strategy=lp_ft",
    "strategy=scratch",
    "hardware.precision=bf16-mixed",
    "hardware.devices=2",
    "hardware.accumulate=4",  # twice as many shares
    "dataset.shots=5",
    "dataset.split_seed=1",
    "dataset.on_bad=skip",
    "dataset.val=0.25",
    "dataset.augment=shift",
    "dataset=glyphs",
    "backbone=resnet50",
    "backbone.weights=none",
    "backbone.input.size=96",
    "+backbone.args.drop_path_rate=0.1",
]

ASIDE = [
    "output=elsewhere",
    "group=mine",
    "backbone.alias=r18",
    "strategy.name=mine",
    "dataset.name=mine",
    "dataset.limits.pixels=1000",  # over it nothing is trained
    "hardware.threads=3",
    "hardware.workers=2",
    "hardware.accelerator=cpu",
    "hardware.accelerator=gpu",
    "hardware.devices=1",
    "hardware=cpu",
    "dataset.eval_batch_size=7",
    "tracking.uri='sqlite:///other.db'",
    "tracking.experiment=other",
    "tracking=none",
    "loggers.csv={}",
    "strategy.lr=5.0e-3",  # what it is already
]


def same(*overrides: str) -> str:
    """The identity of the trial asked for."""
    return locate(tlx.compose(overrides)).identity


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "cores", lambda: 4)
    monkeypatch.setattr(rules, "gpus", lambda: 1)


def test_everything_that_decides_the_numbers_decides_it() -> None:
    found = {words: same(*BASE, words) for words in DECIDING}
    found["nothing"] = same(*BASE)
    shared = [words for words, one in found.items() if list(found.values()).count(one) > 1]
    assert shared == []


def test_shares_of_a_batch_decide_it_and_not_who_takes_them() -> None:
    """BatchNorm counts, and dropout draws, per share."""
    assert same(*BASE, "hardware.devices=2") == same(*BASE, "hardware.accumulate=2") == same(*BASE, "hardware=ddp_cpu")


@pytest.mark.parametrize("words", ASIDE)
def test_where_and_how_it_runs_does_not(words: str) -> None:
    assert same(*BASE, words) == same(*BASE)


@pytest.mark.parametrize("limit", ["pixels", "resized_pixels", "cell_characters", "row_bytes", "table_bytes"])
def test_limits_do_where_they_leave_examples_out(limit: str) -> None:
    skips = (*BASE, "dataset.on_bad=skip")
    assert same(*skips, f"dataset.limits.{limit}=1000") != same(*skips)


def test_the_order_of_the_request_does_not() -> None:
    words = ("seed=3", "strategy.lr=0.1", *BASE)
    assert same(*words) == same(*reversed(words))


def test_it_is_sixteen_digits_and_in_the_name_of_the_folder(folder: Path) -> None:
    place = locate(tlx.compose(["backbone=narrow_resnet", "strategy=scratch", "dataset=digits", "dataset.shots=5"]))
    assert re.fullmatch("[0-9a-f]{16}", place.identity)
    assert place.name == "narrow_resnet-scratch-digits-k5-s0"
    assert place.path == folder / "runs" / f"{place.name}-{place.identity[:12]}"


def test_it_does_not_depend_on_the_process() -> None:
    code = f"import tlx; from tlx.training.locate import locate; print(locate(tlx.compose({list(BASE)})).identity)"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == same(*BASE)


def test_the_release_is_no_part_of_it() -> None:
    before = same(*BASE)
    code = "import tlx.version; tlx.version.VERSION = '9.9.9'\nimport tlx; from tlx.training.locate import locate\n"
    code += f"print(tlx.version.VERSION, locate(tlx.compose({list(BASE)})).identity)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.split() == ["9.9.9", before]


@dataclass
class Before:
    """Options of a release."""

    lr: float = option(0.1, "a rate")


@dataclass
class After(Before):
    """The same, in a later release that can do more."""

    momentum: float = option(0.0, "of the optimizer", neutral=0.0)
    heads: int = option(1, "how many", neutral=1)


@given(lr=some.floats(allow_nan=False), momentum=some.sampled_from([0.0, 0.9]), heads=some.integers(1, 3))
def test_a_later_option_at_its_neutral_value_is_none(lr: float, momentum: float, heads: int) -> None:
    old, new = identity(Before(lr), {"data": "x"}, {}), identity(After(lr, momentum, heads), {"data": "x"}, {})
    assert (old == new) == (momentum == 0.0 and heads == 1)
    assert identity_fields(After(lr, momentum, heads)) == {"lr": lr, "momentum": momentum, "heads": heads}


def test_other_bits_are_another_trial() -> None:
    assert identity(After(), {}, {}) != identity(After(), {}, {"backbone": 2}) != identity(After(), {}, {"task": 2})


@pytest.mark.parametrize(("kind", "usual"), [("ema", "follow"), ("wise_ft", "follow"), ("swa", "refresh")])
def test_what_an_average_does_with_norms_anyway_may_be_said(kind: str, usual: str) -> None:
    plain, said = same(*BASE, f"strategy={kind}"), dict[str, str]()
    for norms in ("auto", "follow", "refresh"):
        said[norms] = same(*BASE, f"strategy={kind}", f"strategy.averaging.norms={norms}")
    assert said.pop("auto") == said.pop(usual) == plain
    assert plain not in said.values()
