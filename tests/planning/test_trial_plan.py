"""Plans of every shipped backbone with every strategy, from shapes alone, and costs against closed forms."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch

import tlx
from tlx.composition import search_path
from tlx.config.strategy import Strategy
from tlx.planning.trial_plan import plan_trial
from tlx.strategies.phases import plan

STRATEGIES = ("feature_extraction", "scratch", "gradual_unfreezing", "llrd")
WITHOUT_NETWORK = ("pixels", "columns")
LARGE = ("bert_base", "swin_tiny", "roberta", "efficientnet_b0", "gpt2", "inception_v3")  # half of the time of all
NAMED = [name for name in search_path.options("backbone") if name not in ("timm", "transformers", *WITHOUT_NETWORK)]


def composed(backbone: str, *overrides: str) -> list[str]:
    if backbone == "narrow_mlp":
        return [f"backbone={backbone}", "dataset=tabular", f"dataset.file={table()}", *overrides]
    text = backbone in ("bert_base", "distilbert", "roberta", "gpt2", "narrow_bert")
    return [f"backbone={backbone}", f"dataset={'docstrings' if text else 'digits'}", *overrides]


def table() -> Path:
    """A file of numbers, words and classes, in the working directory."""
    file = Path("table.csv")
    file.write_text("size,colour,label\n" + "".join(f"{i},{('red', 'green')[i % 2]},{i % 3}\n" for i in range(90)))
    return file


@cache
def _options(strategy: str) -> Strategy:
    """Those of a preset, which are the same for every backbone."""
    return tlx.compose(["backbone=resnet18", "dataset=digits", f"strategy={strategy}"]).strategy


@pytest.mark.parametrize(
    "backbone", [pytest.param(name, marks=pytest.mark.long) if name in LARGE else name for name in NAMED]
)
def test_every_backbone_with_every_strategy(backbone: str) -> None:
    found = plan_trial(tlx.compose(composed(backbone, "strategy=fine_tune")))
    assert all(p.device.type == "meta" for stage in found.stages for p in stage.parameters())
    assert sum(stage.count for stage in found.stages) == found.parameters
    assert found.phases[-1].trained == found.parameters
    for strategy in STRATEGIES:
        phases = plan(_options(strategy), found.stages, found.steps_per_epoch)
        assert phases[-1].trainable <= {name for stage in found.stages for name in stage.names}


def test_costs_of_a_linear_probe_are_the_closed_form() -> None:
    """64 pixels to 10 classes, batch 32: 2 * 64 * 10 * 32 forward; the same again for the weights' gradient."""
    words = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "strategy.optimizer.name=adamw"]
    phase = plan_trial(tlx.compose(words)).phases[0]
    assert phase.forward == 2 * 64 * 10 * 32
    assert phase.backward == 2 * 64 * 10 * 32
    assert phase.trained == 650
    assert phase.memory >= 650 * 4 * 4  # weights, gradients, two moments


def test_backward_reaches_only_what_trains() -> None:
    words = ["backbone=resnet18", "dataset=digits", "strategy=lp_ft"]
    head, everything = plan_trial(tlx.compose(words)).phases
    assert head.forward == everything.forward
    assert head.backward == 2 * 512 * 10 * 32
    assert everything.backward > 1.5 * everything.forward
    assert head.memory < everything.memory


def test_phases_follow_the_budget() -> None:
    words = ["backbone=narrow_resnet", "dataset=digits", "strategy=gradual_unfreezing", "strategy.budget=100 steps"]
    found = plan_trial(tlx.compose(words))
    assert (found.phases[0].start, found.phases[0].stop) == (0, 20)
    assert found.phases[-1].stop == 100
    assert found.steps_per_epoch == 22  # 700 in batches of 32, the last of 28
    assert found.phases[0].rates == {"head": 5e-3}
    assert found.phases[-1].rates["stem"] == 5e-4


def test_nothing_is_drawn_from_the_global_generator() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    plan_trial(tlx.compose(["backbone=narrow_resnet", "dataset=digits"]))
    assert torch.equal(torch.get_rng_state(), before)
