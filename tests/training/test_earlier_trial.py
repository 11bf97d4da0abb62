"""A trial that begins from ``trial:`` belongs to the weights that trial has, and not to those it once had."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import tlx
from tests.conftest import Said
from tests.training.conftest import Compose
from tlx.config.errors import WeightsError
from tlx.runs.trained_content import FACT, content_if_finished
from tlx.tracking import event_log
from tlx.training import network
from tlx.training.locate import locate
from tlx.training.module import TrialModule

_HEAD = "# @package _global_\n# a source\ndefaults:\n  - override /backbone: narrow_resnet\n"
_REST = "  - override /dataset: digits\nstrategy: {budget: 2 steps, batch_size: 8}\nhardware: {threads: 1}\n"
SOURCE = ("experiment=source", "tracking=none")
Anew = Callable[[], None]


@pytest.fixture
def anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Anew:
    """Train the source again, as another number of threads would have it: the same trial, other weights."""
    (folder / "experiments").mkdir()
    (folder / "experiments" / "source.yaml").write_text(f"{_HEAD}  - override /strategy: scratch\n{_REST}")
    seed, times = network.seed_everything, 0

    def run() -> None:
        nonlocal times
        times += 1
        shutil.rmtree(locate(tlx.compose(SOURCE)).path, ignore_errors=True)
        with monkeypatch.context() as patched:
            patched.setattr(network, "seed_everything", lambda number: seed(number + times))
            tlx.train(tlx.compose(SOURCE), quiet=True)

    return run


def test_another_source_is_another_beginning(small: Compose, anew: Anew, folder: Path, said: Said) -> None:
    anew()
    words = ("strategy=feature_extraction", "strategy.budget=2 steps", "backbone.weights=trial:source")
    target = small(*words)
    first, identity = tlx.train(target), locate(target).identity
    place, source = locate(target), locate(tlx.compose(SOURCE)).path
    content = content_if_finished(source)
    assert json.loads((place.path / "result.json").read_text())["facts"][FACT] == content
    assert json.loads((place.path / "repro.json").read_text())["weights"][FACT] == content

    lines: list[str] = []
    tlx.train(target, lines.append)
    assert lines[0].startswith("already finished")

    anew()
    assert locate(target).identity == identity
    told = f"source was trained anew ({str(content)[:12]} -> {str(content_if_finished(source))[:12]})"
    assert told in said("why", str(place.path)).replace("\n", " ")
    lines.clear()
    again = tlx.train(target, lines.append)
    assert f"{told}: this trial began from other weights and is run again" in lines
    assert (place.path / "result.incomplete.1.json").is_file()
    assert again.metrics != first.metrics
    assert json.loads((place.path / "result.json").read_text())["facts"][FACT] == content_if_finished(source)

    shutil.rmtree(source)  # nobody knows what it would be: what is there counts
    lines.clear()
    tlx.train(target, lines.append)
    assert lines[0].startswith("already finished")


def test_a_saved_state_of_another_beginning_is_left(
    small: Compose, anew: Anew, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew()
    rounds = ("strategy.validate_every=1 steps", "strategy.budget=2 steps", "checkpoint.every_minutes=0")
    target = small("strategy=fine_tune", "backbone.weights=trial:source", *rounds)
    whole = TrialModule.on_train_epoch_end

    def stopped(self: TrialModule) -> None:
        whole(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(TrialModule, "on_train_epoch_end", stopped)
        with pytest.raises(KeyboardInterrupt):
            tlx.train(target, quiet=True)
    anew()
    lines: list[str] = []
    tlx.train(target, lines.append)
    assert any("the saved state began from other weights" in line for line in lines)
    place = locate(target)
    assert not event_log.last(place.path, "resume")
    assert place.result() is not None


def test_nothing_begins_from_weights_that_do_not_count(small: Compose, anew: Anew, folder: Path) -> None:
    """``source`` was trained anew, so ``middle`` is to be, and what begins from that has to wait."""
    anew()
    middle = f"{_HEAD}  - override /strategy: feature_extraction\n{_REST}backbone: {{weights: 'trial:source'}}\n"
    (folder / "experiments" / "middle.yaml").write_text(middle)
    tlx.train(tlx.compose(["experiment=middle", "tracking=none"]), quiet=True)
    anew()
    with pytest.raises(WeightsError, match=r"source was trained anew .*; run: tlx train experiment=middle"):
        tlx.train(small("strategy=feature_extraction", "backbone.weights=trial:middle"), quiet=True)


@pytest.mark.long
def test_a_sweep_runs_what_began_from_other_weights(anew: Anew, said: Said) -> None:
    words = ["backbone=narrow_resnet", "dataset=digits", "strategy=feature_extraction", "strategy.budget=2 steps"]
    words += ["backbone.weights=trial:source", "seed=0,1", "tracking=none", "--jobs", "1"]
    source = locate(tlx.compose(SOURCE)).path
    assert "3 trials run, 0 already finished" in said("sweep", *words)
    shutil.rmtree(source)  # it comes out as it was: what began from it counts
    assert "1 trials run, 2 already finished" in said("sweep", *words)
    anew()
    found = said("sweep", *words)
    assert "2 trials run, 1 already finished" in found
    assert found.count("source was trained anew") == 1
