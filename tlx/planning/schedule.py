"""The picture of a freezing schedule as it is planned: which stage would train when, and at what rate."""

from __future__ import annotations

from collections.abc import Callable

from tlx.config.strategy import Strategy
from tlx.planning.trial_plan import PhaseCost, TrialPlan
from tlx.reports.heatmap import Span
from tlx.reports.timeline import draw
from tlx.strategies import schedule as curves
from tlx.strategies.phases import budget_steps


def of_plan(plan: TrialPlan, strategy: Strategy, subject: str = "") -> str:
    """What a trial would do, as ``tlx plan`` foresees it; ``subject`` is what is transferred."""
    whole = budget_steps(strategy, plan.steps_per_epoch)
    spans = []
    for phase in plan.phases:
        some = {s.name for s in plan.stages if s.name in phase.rates and not phase.plan.trainable.issuperset(s.names)}
        exact = " (solved exactly)" if phase.plan.options.solver != "gradient" else ""
        factor = _factor(phase, strategy, whole)
        name = f"{phase.plan.name or 'nothing'}{exact}"
        spans.append(Span(phase.start, phase.stop, name, phase.rates, factor, frozenset(some)))
    total = plan.phases[-1].stop if plan.phases else 0
    early = sorted({end for p in plan.phases for end in ("plateau", "threshold") if getattr(p.plan.options, end)})
    used = [p.plan.options.schedule or strategy.schedule for p in plan.phases if p.stop > p.start]
    shapes = sorted({f"{s.shape} over {'the run' if s.over == 'run' else 'each phase'}" for s in used})
    notes = [f"planned: {total} steps, {' or '.join(shapes)}" if shapes else "planned: no optimizer steps"]
    notes += [f"phases may end earlier ({' or '.join(early)})"] if early else []
    notes += [f"{strategy.controller.kind} decides further while training"] if strategy.controller else []
    title = f"{strategy.name}{f' of {subject}' if subject else ''}"
    names = [stage.name for stage in plan.stages]
    return draw(names, spans, total, plan.steps_per_epoch, f"{title}\n{'; '.join(notes)}")


def _factor(phase: PhaseCost, strategy: Strategy, whole: int) -> Callable[[int], float]:
    """The module's own rule (:meth:`~tlx.training.module.TrialModule.scale`), in steps of the phase."""
    curve, length = phase.plan.options.schedule or strategy.schedule, phase.stop - phase.start

    def factor(step: int) -> float:
        position = (phase.start + step, whole) if curve.over == "run" else (step, length)
        return curves.factor(curve, *position) * curves.entry(phase.plan.options, step, length)

    return factor
