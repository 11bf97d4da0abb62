"""The picture of a freezing schedule: which stage trains when and at what rate, as planned and as it happened."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tlx.report.heatmap import Span
from tlx.report.timeline import draw
from tlx.strategies import schedule as curves

if TYPE_CHECKING:
    from tlx.strategies.options import Strategy
    from tlx.trial.forecast import Forecast, PhaseForecast


def of_forecast(forecast: Forecast, strategy: Strategy, subject: str = "") -> str:
    """What a trial would do, as ``tlx plan`` foresees it; ``subject`` is what is transferred."""
    from tlx.strategies.phases import budget_steps  # brings torch, which `draw` can do without

    whole = budget_steps(strategy, forecast.steps_per_epoch)
    spans = []
    for phase in forecast.phases:
        some = {
            s.name for s in forecast.stages if s.name in phase.rates and not phase.plan.trainable.issuperset(s.names)
        }
        exact = " (solved exactly)" if phase.plan.options.solver == "logistic" else ""
        factor = _factor(phase, strategy, whole)
        name = f"{phase.plan.name or 'nothing'}{exact}"
        spans.append(Span(phase.start, phase.stop, name, phase.rates, factor, frozenset(some)))
    total = forecast.phases[-1].stop if forecast.phases else 0
    early = sorted({end for p in forecast.phases for end in ("plateau", "threshold") if getattr(p.plan.options, end)})
    used = [p.plan.options.schedule or strategy.schedule for p in forecast.phases if p.stop > p.start]
    shapes = sorted({f"{s.shape} over {'the run' if s.over == 'run' else 'each phase'}" for s in used})
    notes = [f"planned: {total} steps, {' or '.join(shapes)}" if shapes else "planned: no optimizer steps"]
    notes += [f"phases may end earlier ({' or '.join(early)})"] if early else []
    notes += [f"{strategy.controller.kind} decides further while training"] if strategy.controller else []
    title = f"{strategy.name}{f' of {subject}' if subject else ''}"
    names = [stage.name for stage in forecast.stages]
    return draw(names, spans, total, forecast.steps_per_epoch, f"{title}\n{'; '.join(notes)}")


def of_journal(rows: Iterable[Mapping[str, Any]], stages: Sequence[str], steps_per_epoch: int) -> str:
    """What a trial did so far: phases end where the next began, rates are as logged at the validations.

    A ``phase`` event holds ``rates`` and, where known, ``partial``. A further one of the same number, with a later
    start, says that the phase went on with other rates.
    """
    phases: dict[tuple[int, int], Mapping[str, Any]] = {}
    logged: dict[int, float] = {}  # step to the largest rate
    end = 0
    for row in rows:
        if row["event"] == "phase":
            phases[(row["start"], row["number"])] = row
        elif row["event"] == "metrics":
            end = row["step"]
            shown = [v for name, v in row["values"].items() if name.startswith("optim/lr-") and v is not None]
            logged |= {end: max(shown)} if shown else {}
        elif row["event"] == "resume":  # what came after the point it resumes from is done again, at the same rates
            end = row["step"]
            phases = {key: phase for key, phase in phases.items() if key[0] <= end}
    parts = [(*begin, max(begin[0], border)) for begin, (border, _) in pairwise([*sorted(phases), (end, 0)])]
    samples: dict[int, list[tuple[int, float]]] = {}  # of the factor, by phase
    for start, number, stop in parts:
        full = max(phases[(start, number)]["rates"].values(), default=0.0)
        found = [(step - 1, rate / full) for step, rate in sorted(logged.items()) if start < step <= stop and full]
        samples.setdefault(number, []).extend(found)
    spans: list[Span] = []
    for i, (start, number, stop) in enumerate(parts):
        row = phases[(start, number)]
        name = "" if i and parts[i - 1][1] == number else row["name"] or "nothing"
        factor = _through([(step - start, value) for step, value in samples[number]])
        spans.append(Span(start, stop, name, row["rates"], factor, frozenset(row.get("partial", ()))))
    return draw(stages, spans, end, steps_per_epoch, f"What trained when\n{end} steps, rates as logged")


def _factor(phase: PhaseForecast, strategy: Strategy, whole: int) -> Callable[[int], float]:
    """The learner's own rule (:meth:`~tlx.trial.learner.Learner.scale`), in steps of the phase."""
    curve, length = phase.plan.options.schedule or strategy.schedule, phase.stop - phase.start

    def factor(step: int) -> float:
        position = (phase.start + step, whole) if curve.over == "run" else (step, length)
        return curves.factor(curve, *position) * curves.entry(phase.plan.options, step, length)

    return factor


def _through(samples: list[tuple[int, float]]) -> Callable[[int], float]:
    """A line through the samples, level before the first and after the last."""
    if not samples:
        return lambda step: 1.0
    steps, factors = [step for step, _ in samples], [factor for _, factor in samples]

    def factor(step: int) -> float:
        after = bisect(steps, step)
        if after in (0, len(steps)):
            return factors[max(0, after - 1)]
        share = (step - steps[after - 1]) / (steps[after] - steps[after - 1])
        return factors[after - 1] + share * (factors[after] - factors[after - 1])

    return factor
