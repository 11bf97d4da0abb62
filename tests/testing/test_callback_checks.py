"""Callbacks written outside of tlx are registered, trained with, and held to the contract."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import tlx
from tests.conftest import Said
from tests.testing.callbacks import (
    Forgetful,
    Gambler,
    Hoarder,
    Impatient,
    Meddler,
    Nobody,
    Odd,
    Options,
    Partial,
    Patience,
    Sleeper,
    Stray,
    Thaw,
    Unsaid,
)
from tlx.components.registry import of_group, register
from tlx.config.errors import ConfigError
from tlx.testing import check_callback
from tlx.tracking import event_log
from tlx.training.callbacks.callback import (
    Callback,
)
from tlx.training.locate import locate

HERE = "tests.testing.callbacks"
BASE = ["backbone=narrow_resnet", "strategy=fine_tune", "strategy.init=scratch", "dataset=digits", "dataset.shots=4"]
BASE += ["tracking=none", "strategy.budget=8 steps", "strategy.validate_every=2 steps", "strategy.batch_size=8"]


GOOD = frozenset({"trainable", "cacheable", "resumable", "exportable", "compilable"})


def registered(kind: type[Callback], options: type = Options, capabilities: frozenset[str] = GOOD) -> str:
    name = kind.__name__.lower()
    register("callback", name, options, f"{HERE}:{kind.__name__}", capabilities=capabilities)
    return name


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(of_group("callback")))
def test_ours_keep_the_contract(kind: str) -> None:
    check_callback(kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", [Patience, Thaw, Odd], ids=lambda kind: kind.__name__)
def test_others_keep_it(kind: type[Callback]) -> None:
    check_callback(registered(kind), {"rounds": 3})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Forgetful, "an interrupted trial"),
        (Meddler, r"meddler.on_step under the Trainer changes weights by itself"),
        (Gambler, r"gambler.on_round_end under the Trainer draws from torch's random numbers"),
        (Sleeper, r"sleeper.on_batch_start under the Trainer leaves modules in another mode"),
        (Hoarder, r"hoarder.state_dict\(\) holds more than plain values"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_those_that_break_it_are_told(kind: type[Callback], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_callback(registered(kind), {"rounds": 3})


def test_options_say_what_they_are_for() -> None:
    with pytest.raises(AssertionError, match="options of callback=patience without help: rounds"):
        check_callback(registered(Patience, Unsaid))


def test_a_request_from_the_wrong_hook_is_refused(folder: Path) -> None:
    name = registered(Impatient)
    with pytest.raises(TypeError, match=r"Impatient.on_step asks for Stop.*may ask for Record, ScaleRates"):
        tlx.train(tlx.compose([*BASE, f"callbacks.{name}={{}}"]))


@pytest.mark.parametrize(
    ("kind", "strategy", "said"),
    [
        (Stray, "feature_extraction", r"SetTrainable: .*backbone.conv1.weight"),
        (Nobody, "feature_extraction", "SetTrainable: .* found none"),
        (Partial, "fine_tune", "ScaleRates: one factor for all of"),
    ],
)
def test_what_cannot_be_granted_is_refused(folder: Path, kind: type[Callback], strategy: str, said: str) -> None:
    words = [*BASE, f"strategy={strategy}", f"callbacks.{registered(kind)}={{}}"]
    with pytest.raises(ValueError, match=said):
        tlx.train(tlx.compose([word for word in words if word != "strategy=fine_tune" or strategy == "fine_tune"]))


def test_heads_side_by_side_have_none_of_ours() -> None:
    with pytest.raises(ValueError, match="heads side by side"):
        registered(Patience, capabilities=frozenset({"batchable_head"}))


def test_what_is_not_exportable_is_not_exported(folder: Path, said: Said) -> None:
    trial = tlx.compose([*BASE, f"callbacks.{registered(Patience, capabilities=GOOD - {'exportable'})}={{}}"])
    tlx.train(trial)
    assert "callbacks.patience" in said("export", str(locate(trial).path), "--to", "torch", code=2)


def rows(words: list[str]) -> tuple[list[dict[str, Any]], dict[str, float | None]]:
    """The metric rows of a trial that is trained now, and its result."""
    trial = tlx.compose([*BASE, *words])
    result = tlx.train(trial)
    found = event_log.metrics(locate(trial).path)
    return [row for row in found if "train/loss" in row["values"]], result.metrics


@pytest.mark.parametrize("loop", ["hardware.accumulate=2", "strategy=feature_extraction"])
def test_a_request_is_granted_in_both_loops(folder: Path, loop: str) -> None:
    found, _ = rows([loop, f"callbacks.{registered(Patience)}={{rounds: 3}}"])
    assert [row["step"] for row in found] == [2, 4, 6]


def test_what_trains_and_how_fast(folder: Path) -> None:
    plain, _ = rows(["output=plain", "strategy.schedule.shape=constant"])
    found, _ = rows(["output=thawed", "strategy.schedule.shape=constant", f"callbacks.{registered(Thaw)}={{}}"])
    counts = [row["values"]["finetune/trainable_params"] for row in found]
    assert counts[0] == plain[0]["values"]["finetune/trainable_params"] > 1290
    assert counts[1:] == [1290] * 3
    heads = [row["values"]["optim/lr-head"] for row in found]
    assert heads == pytest.approx([heads[0], heads[0], heads[0] / 2, heads[0] / 2])


@pytest.mark.parametrize("keep", ["best", "last"])
def test_steps_are_skipped_and_other_weights_validated(folder: Path, keep: str) -> None:
    """Half of the steps are taken. Zeros give every class the same chance; what is validated is what is kept."""
    found, metrics = rows([f"callbacks.{registered(Odd)}={{}}", f"strategy.keep={keep}"])
    log = list(event_log.read(next(Path("runs").glob("narrow*"))))
    assert [row["step"] for row in log if row["event"] == "skipped"] == [2, 4, 6, 8]
    even = pytest.approx(math.log(10), abs=1e-5)
    assert [row["values"]["val/loss"] for row in found] == [even] * 4
    assert (metrics["test/loss"] == even) == (keep == "best")  # the weights that trained were put back


def test_it_is_part_of_the_trial_only_where_it_is_named(folder: Path) -> None:
    plain = locate(tlx.compose(BASE)).identity
    name = registered(Patience)
    assert locate(tlx.compose(BASE)).identity == plain
    named = {locate(tlx.compose([*BASE, f"callbacks.{name}={{rounds: {n}}}"])).identity for n in (2, 3)}
    assert len(named | {plain}) == 3


def test_what_it_cannot_do_is_not_done(folder: Path) -> None:
    said: list[str] = []
    name = registered(Patience, capabilities=frozenset())
    trial = tlx.compose([*BASE, f"callbacks.{name}={{}}"])
    tlx.train(trial, said.append)
    assert any("no state is saved, as callbacks.patience=patience is not resumable" in line for line in said)
    with pytest.raises(ConfigError, match=r"callbacks\.patience"):
        tlx.compose([*BASE, f"callbacks.{name}={{}}", "hardware.compile=true"])


def test_a_wrong_name_or_option_is_told_with_the_nearest(folder: Path) -> None:
    name = registered(Patience)
    with pytest.raises(ConfigError, match=r"did you mean callbacks\.patience"):
        tlx.compose([*BASE, "callbacks.patiense={}"])
    with pytest.raises(ConfigError, match=rf"did you mean callbacks\.{name}\.rounds"):
        tlx.compose([*BASE, f"callbacks.{name}={{round: 3}}"])
    (Path("experiments")).mkdir()
    Path("experiments/mine.yaml").write_text(
        f"# @package _global_\ndefaults:\n  - override /backbone: narrow_resnet\n  - override /dataset: digits\n"
        f"  - _self_\ncallbacks:\n  {name}: {{rounds: 3}}\n"
    )
    assert tlx.compose(["experiment=mine"]).callbacks.patience == Options(rounds=3)
