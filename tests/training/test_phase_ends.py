"""How phases begin and end: exact heads, thresholds, new weights, controllers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import tlx
from tests.training.conftest import Compose
from tlx.config.errors import ConfigError
from tlx.tracking import event_log
from tlx.training.build import build, rebuilt
from tlx.training.locate import locate


def test_descent_goes_on_from_an_exact_head(small: Compose) -> None:
    trial = small("strategy=logistic", "strategy.phases=[{train: [head], solver: logistic}, {train: [all]}]")
    assert tlx.train(trial).steps == 6


def test_a_threshold_is_reached_at_its_own_value(small: Compose) -> None:
    plain = small("strategy=fine_tune")
    tlx.train(plain)
    rows = [row for row in event_log.metrics(locate(plain).path) if "val/loss" in row["values"]]
    value = rows[0]["values"]["val/loss"]
    ended = small("strategy=fine_tune", f"strategy.phases.0.threshold={{monitor: loss, value: {value!r}}}")
    assert tlx.train(ended).steps == rows[0]["step"] == 2


def test_what_is_begun_anew_is_in_the_checkpoint(small: Compose) -> None:
    trial = small(
        "strategy=fine_tune", "strategy.phases=[{train: [head], reinit: ['stages[-1]']}]", "strategy.keep=last"
    )
    result = tlx.train(trial)
    learner = rebuilt(locate(trial).path).module
    metrics = learner.task.metrics()
    with torch.no_grad():
        for batch in learner.data.eval_loader("val"):
            learner.task.eval_step(learner.model, batch, metrics)
    assert learner.task.compute(metrics)["loss"] == pytest.approx(result.metrics["val/loss"], rel=1e-5)


def test_the_best_is_kept_from_before_stages_begin_anew(small: Compose) -> None:
    """The second phase starts worse and hardly learns, so the best is the first phase's, old stages included."""
    phases = "[{train: [head], until: 4 steps}, {train: [all], reinit: ['stages[-2:]'], lr_scale: 1e-6}]"
    trial = small("strategy=fine_tune", f"strategy.phases={phases}", "strategy.audit=off", "strategy.lr=0.05")
    start = {name: t.clone() for name, t in build(trial).module.model.state_dict().items()}
    tlx.train(trial)
    rows = [row["values"]["val/acc"] for row in event_log.metrics(locate(trial).path) if "train/loss" in row["values"]]
    learner = rebuilt(locate(trial).path).module
    kept = torch.equal(
        learner.model.state_dict()["backbone.layer4.0.conv1.weight"], start["backbone.layer4.0.conv1.weight"]
    )
    assert kept == (max(rows[:2]) > rows[2])


@pytest.mark.parametrize("every", [2, 4])
def test_a_controller_decides_as_often_as_asked(small: Compose, monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    from tlx.strategies.controllers import AutoFreeze

    decided: list[int] = []
    decide = AutoFreeze.decide

    def noted(self: AutoFreeze, *args: Any) -> frozenset[str]:
        decided.append(self.decided)
        return decide(self, *args)

    monkeypatch.setattr(AutoFreeze, "decide", noted)
    words = ("strategy.budget=8 steps", "strategy.validate_every=1 steps", f"strategy.controller.every={every} steps")
    tlx.train(small("strategy=autofreeze", *words))
    assert decided == list(range(every, 9, every))


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["strategy.phases=[{train: [head], plateau: {monitor: accuracy}}]"], "strategy.phases.0.plateau.monitor"),
        (["strategy=lora", "strategy.peft.target=[nothing]"], "strategy.peft.target"),
        (["backbone.stages=[conv1]"], "backbone.stages"),
        (["strategy.optimizer.name=lbfgs"], "strategy.optimizer.name"),
    ],
)
def test_what_is_noticed_while_building_is_a_problem_of_the_request(small: Compose, words: list[str], key: str) -> None:
    trial = small("strategy=fine_tune", *words) if words[0] != "strategy=lora" else small(*words)
    with pytest.raises(ConfigError) as caught:
        tlx.train(trial)
    assert [problem.key for problem in caught.value.problems] == [key]
    assert not locate(trial).path.exists()
