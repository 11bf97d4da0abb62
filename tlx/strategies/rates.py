"""The full learning rate of every parameter in every phase, before the schedule's factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tlx.backbones.partition.stages import HEAD, Stage
from tlx.config.strategy import Strategy
from tlx.strategies.phases import PhasePlan
from tlx.strategies.selectors import matching

NECK = "neck"


def rates(strategy: Strategy, stages: Sequence[Stage], phases: Sequence[PhasePlan]) -> dict[str, tuple[float, ...]]:
    """Parameter name to its full rate in each phase.

    What ``strategy.peft`` put in learns at ``lr`` like the head, wherever it lies. Raises
    :class:`~tlx.config.errors.ConfigError` for a selector of ``lr_mult`` that matches nothing.
    """
    inserted = matching("peft", stages, "strategy.peft") if strategy.peft is not None else frozenset()
    base: dict[str, float] = {}
    for stage, rate in zip(stages, by_stage(strategy, stages), strict=True):
        base |= {name: strategy.lr if name in inserted else rate for name in stage.names}
    for selector, multiplier in strategy.lr_mult.items():
        for name in matching(selector, stages, "strategy.lr_mult"):
            base[name] *= multiplier
    table = {name: [rate * phase.options.lr_scale for phase in phases] for name, rate in base.items()}
    for phase in phases:
        for selector, multiplier in phase.options.lr_mult.items():
            for name in matching(selector, stages, f"strategy.phases.{phase.origin}.lr_mult"):
                table[name][phase.number] *= multiplier
    return {name: tuple(row) for name, row in table.items()}


def stage_rates(phase: PhasePlan, stages: Sequence[Stage], table: Mapping[str, tuple[float, ...]]) -> dict[str, float]:
    """The largest full rate of each stage that trains in the phase; ``table`` is what :func:`rates` gave."""
    if phase.options.solver != "gradient":
        return {}
    trains = {stage.name: [table[n][phase.number] for n in stage.names if n in phase.trainable] for stage in stages}
    return {name: max(found) for name, found in trains.items() if found}


def by_stage(strategy: Strategy, stages: Sequence[Stage]) -> list[float]:
    """The rate of each stage: the head's is ``lr``, the backbone's falls with depth as the strategy says."""
    if strategy.lr_shallow is not None:  # fastai's even_mults
        ratio = strategy.lr / strategy.lr_shallow
        last = len(stages) - 1
        return [strategy.lr_shallow * ratio ** (i / last if last else 1.0) for i in range(len(stages))]
    backbone = strategy.lr if strategy.backbone_lr is None else strategy.backbone_lr
    scales = [max(strategy.min_scale, strategy.layer_decay**below) for below in depth_from_head(stages)]
    return [
        strategy.lr if stage.name == HEAD else backbone * scale for stage, scale in zip(stages, scales, strict=True)
    ]


def depth_from_head(stages: Sequence[Stage]) -> list[int]:
    """How many stages above each one learn faster under layer decay: 0 for the head.

    A neck (final norm, projection) counts with the head, as in timm's and BEiT's layer decay. Towers are counted
    each by itself.
    """
    result = []
    for i, stage in enumerate(stages):
        above = [s for s in stages[i + 1 :] if s.tower == stage.tower and not _is_last(s)]
        result.append(0 if _is_last(stage) else len(above) + 1)
    return result


def _is_last(stage: Stage) -> bool:
    """The head, or a neck, which in a tower goes by the tower's name."""
    return stage.name == HEAD or stage.name.rpartition(".")[2] == NECK
