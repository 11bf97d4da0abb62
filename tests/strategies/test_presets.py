"""Every shipped strategy on three architectures: what trains at each step, against names read by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest
import torch

import tlx
from tests.strategies.architectures import BERT, EVERYWHERE, KNOWN, Architecture, on_meta
from tests.strategies.conftest import Cut, lengths, preset
from tlx.backbones.partition.stages import Stage, merge, stages
from tlx.strategies.freezing import freeze
from tlx.strategies.peft import adapters
from tlx.strategies.phases import plan

Predicate = Callable[[str], bool]
SHIPPED = sorted(path.stem for path in (Path(tlx.__file__).parents[1] / "conf/strategy").glob("*.yaml"))
WHOLE = ("fine_tune", "scratch", "llrd", "discriminative", "reinit_top", "l2_sp", "bss", "delta", "ema", "swa",
         "greedy_soup", "uniform_soup", "autofreeze", "egeria")  # fmt: skip
INSERTED = {"lora": ".lora_", "dora": ".lora_", "ia3": ".ia3_", "bottleneck": "bottleneck_adapter",
            "prefix": "prefix_tokens", "prompt": "prompt_tokens"}  # fmt: skip
TEXTS = ("prefix", "prompt")
SOLVED = ("logistic", "ridge")  # exactly, in no step


def oracle(option: str, known: Architecture) -> list[tuple[int, Predicate]]:
    """First step and trainable set of each phase, in a run of 100 steps."""
    size, depth = known.size, known.depth

    def everything(name: str) -> bool:
        return True

    def head(name: str) -> bool:
        return depth(name) == size

    def down_to(border: int) -> Predicate:
        return lambda name: depth(name) >= border

    def only(place: int) -> Predicate:
        return lambda name: depth(name) == place

    def spread(start: int, steps: int, parts: list[Predicate]) -> list[tuple[int, Predicate]]:
        return [(start + round(i * steps / len(parts)), part) for i, part in enumerate(parts)]

    if option in WHOLE:
        return [(0, everything)]
    if option in INSERTED:
        return [(0, lambda name: head(name) or INSERTED[option] in name)]
    phases: dict[str, Callable[[], list[tuple[int, Predicate]]]] = {
        "feature_extraction": lambda: [(0, head)],
        "logistic": lambda: [(0, head)],
        "ridge": lambda: [(0, head)],
        "lp_ft": lambda: [(0, head), (50, everything)],
        "wise_ft": lambda: [(0, head), (25, everything)],
        "one_cycle": lambda: [(0, head), (10, everything)],
        "plateau_switch": lambda: [(0, head), (30, down_to(size - 4)), (60, everything)],
        "top_k": lambda: [(0, down_to(size - 2))],
        "freeze_first_k": lambda: [(0, down_to(2))],
        "surgical": lambda: [(0, lambda name: head(name) or depth(name) < size // 4)],
        "bitfit": lambda: [(0, lambda name: head(name) or name.endswith(".bias"))],
        "norm_only": lambda: [(0, lambda name: head(name) or known.is_norm(name))],
        "auto_rgn": lambda: [(0, lambda name: not known.is_norm(name))],
        "gradual_unfreezing": lambda: [(0, head), *spread(20, 80, [down_to(i) for i in reversed(range(size))])],
        "ulmfit": lambda: [(0, head), *spread(20, 40, [down_to(i) for i in reversed(known.levels)]), (60, everything)],
        "chain_thaw": lambda: [(0, head), *spread(15, 60, [only(i) for i in range(size + 1)]), (75, everything)],
    }
    return phases[option]()


def cut_for(option: str, name: str) -> tuple[torch.nn.Module, list[Stage]]:
    """The network as a trial would have it: merged, with PEFT put in."""
    strategy, model = preset(option), on_meta(name)
    cut = stages(model)
    if strategy.partition.max_stages is not None:
        cut = merge(cut, strategy.partition.max_stages)
    if strategy.peft is not None:
        with torch.device("meta"):
            cut = adapters.insert(model, cut, strategy.peft)
    return model, cut


CASES = [(option, name) for option in SHIPPED for name in KNOWN if option not in TEXTS or name == BERT]


@pytest.mark.parametrize(("option", "name"), [case for case in CASES if case[0] != "half_ft"])  # random: test_expand
def test_what_trains_at_each_step(option: str, name: str) -> None:
    model, cut = cut_for(option, name)
    phases = plan(preset(option), cut, 10)
    expected = oracle(option, KNOWN[name])
    steps = lengths(phases, 100)
    assert [0, *accumulate(steps)][: len(steps)] == [first for first, _ in expected]
    for phase, (_, trains) in zip(phases, expected, strict=True):
        freeze(model, phase.trainable)
        found = {parameter for parameter, tensor in model.named_parameters() if tensor.requires_grad}
        assert found == {parameter for parameter, _ in model.named_parameters() if trains(parameter)}


@EVERYWHERE
@pytest.mark.parametrize("option", [option for option in SHIPPED if option not in INSERTED])
@pytest.mark.parametrize("steps_per_epoch", [3, 10, 31])
def test_the_steps_add_up_to_the_budget(cut: Cut, option: str, name: str, steps_per_epoch: int) -> None:
    network, strategy = cut(name), preset(option)
    if strategy.partition.max_stages is not None:
        network = merge(network, strategy.partition.max_stages)
    steps = lengths(plan(strategy, network, steps_per_epoch), 10 * steps_per_epoch)
    assert sum(steps) == (0 if option in SOLVED else 10 * steps_per_epoch)
    assert min(steps) > 0 or option in SOLVED


@EVERYWHERE
def test_reinit_top_draws_the_two_deepest_stages_anew(cut: Cut, name: str) -> None:
    (phase,) = plan(preset("reinit_top"), cut(name), 10)
    known = KNOWN[name]
    assert phase.fresh == {n for n in phase.trainable if known.size - 2 <= known.depth(n) < known.size}
