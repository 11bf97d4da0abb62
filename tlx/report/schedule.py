"""The picture of a freezing schedule: which stage trains when, and at what learning rate, as one SVG text.

Drawn by hand and not by matplotlib, whose import costs every trial 1.5 s: this takes milliseconds. What is frozen is
the grey ground; what trains lies on it as one path per colour, neighbours merged, so that hundreds of stages and
dozens of phases stay below 100 KB.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from tlx.strategies import schedule as curves

if TYPE_CHECKING:
    from tlx.strategies.options import Strategy
    from tlx.trial.forecast import Forecast, PhaseForecast

MARK = "<metadata>tlx schedule</metadata>"  # near the beginning: how a picture made here is known again
FROZEN = "#e4e4e4"
_VIRIDIS = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")
_LEVELS = 32  # colours told apart, so that neighbours can be merged
_MANY = 3000  # regions: about 60 KB
_WIDTH, _TOP, _CHAR = 700.0, 74.0, 0.62  # of the plot, above it, and of a letter as a share of its size
_DECADES = 2.0  # how far below the smallest full rate colours still differ: a cosine ends near 0
_GREY = "#666"

_Column = tuple[float, float, Sequence[Hashable]]  # from x to x: what lies in each row, None for nothing
_Regions = dict[Hashable, list[tuple[float, float, int, int]]]  # from x to x, from row to row


@dataclass(frozen=True)
class Span:
    """One phase of the picture; without a name, the phase before goes on with other rates."""

    start: int  # optimizer steps
    stop: int
    name: str
    rates: Mapping[str, float]  # stage to full rate; 0 or absent: frozen
    factor: Callable[[int], float] = lambda step: 1.0  # on the rates, at a step of the phase
    partial: frozenset[str] = frozenset()  # stages of which only some tensors train


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
        elif row["event"] == "resume":  # what came after the point it resumes from is done again
            end = row["step"]
            phases = {key: phase for key, phase in phases.items() if key[0] <= end}
            logged = {step: rate for step, rate in logged.items() if step <= end}
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


def draw(stages: Sequence[str], spans: Sequence[Span], total: int, steps_per_epoch: int, title: str) -> str:
    """The picture: ``stages`` (shallow to deep) as rows, the deepest on top, against ``total`` optimizer steps.

    Lines of ``title`` after the first are set smaller.
    """
    names = list(reversed(stages))
    prefix = _shared(names)
    labels = [_cut(name.replace(prefix, ""), 26) for name in names]
    row = max(3.4, min(24.0, 480 / max(1, len(names))))
    left = 24 + max((len(label) for label in labels), default=0) * 11 * _CHAR
    right, bottom = left + _WIDTH, _TOP + row * len(names)
    unit = _WIDTH / max(1, total)
    titled = [(span.start, span.stop, span.name.replace(prefix, "")) for span in spans if span.name]
    above, listed = _phase_labels(titled, left, unit)
    low, high, clipped = _range(spans)
    borders = "".join(f"M{_n(left + x * unit)} {_n(_TOP - 5)}V{_n(bottom)}" for x, _, _ in titled if x)
    foot = bottom + 56
    per_line = max(1, int(_WIDTH / (max(map(len, listed), default=1) * 11 * _CHAR + 16)))
    body = [
        f'<rect x="{_n(left)}" y="{_n(_TOP)}" width="{_n(_WIDTH)}" height="{_n(bottom - _TOP)}" fill="{FROZEN}"/>',
        *_cells(names, spans, left, unit, row, low, high),
        *_rows(names, labels, left, row),
        *above,
        f'<path class="border" d="{borders}" stroke="#000" opacity=".55"/>',
        *_axis(left, bottom, unit, total, steps_per_epoch),
        *_legend(right + 26, low, high, clipped, any(span.partial for span in spans)),
    ]
    for i, entry in enumerate(listed):
        place = left + (i % per_line) * _WIDTH / per_line, foot + 16 * (i // per_line)
        body.append(_text(*place, entry, kind="listed"))
    head, *more = title.splitlines() or [""]
    body += [_text(16, 26, _cut(head, int(right / (15 * 0.68))), size=15, fill="#1a1a1a", bold=True)]
    body += [_text(16, 44 + 14 * i, _cut(line, int(right / (11 * _CHAR)))) for i, line in enumerate(more)]
    width, height = right + 120, max(_TOP + 190, foot - 4 + 16 * math.ceil(len(listed) / per_line))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'height="{_n(height)}" role="img" aria-label={quoteattr(_clean(head))} font-family="sans-serif">\n{MARK}\n'
        f'<rect x=".5" y=".5" width="{_n(width - 1)}" height="{_n(height - 1)}" rx="8" fill="#fff" stroke="#ddd"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def colour(share: float) -> str:
    """Viridis, from 0 (dark) to 1 (light)."""
    place = min(1.0, max(0.0, share)) * (len(_VIRIDIS) - 1)
    i = min(int(place), len(_VIRIDIS) - 2)
    pairs = [(int(_VIRIDIS[i][k : k + 2], 16), int(_VIRIDIS[i + 1][k : k + 2], 16)) for k in (0, 2, 4)]
    return "#" + "".join(f"{round(a + (b - a) * (place - i)):02x}" for a, b in pairs)


def _factor(phase: PhaseForecast, strategy: Strategy, whole: int) -> Callable[[int], float]:
    """The learner's own rule (:meth:`~tlx.trial.learner.Learner.scale`), in steps of the phase."""
    curve, length = phase.plan.options.schedule or strategy.schedule, phase.stop - phase.start

    def factor(step: int) -> float:
        position = (phase.start + step, whole) if curve.over == "run" else (step, length)
        return curves.factor(curve, *position) * curves.entry(phase.plan.options, step, length)

    return factor


def _through(samples: list[tuple[int, float]]) -> Callable[[int], float]:
    steps, factors = [step for step, _ in samples], [factor for _, factor in samples]
    return lambda step: float(np.interp(step, steps, factors)) if steps else 1.0


def _range(spans: Sequence[Span]) -> tuple[float, float, bool]:
    """The rates of the first and the last colour, and whether lower ones are shown like the lowest."""
    seen: list[float] = []
    full = [rate for span in spans for rate in span.rates.values() if rate > 0 and span.stop > span.start]
    for span in spans:
        rates = [rate for rate in span.rates.values() if rate > 0]
        length = span.stop - span.start
        steps = {round(i * (length - 1) / 200) for i in range(201)} if length and rates else ()
        factors = [span.factor(step) for step in steps]
        seen += [rate * factor for factor in factors if factor > 0 for rate in (min(rates), max(rates))]
    if not seen:
        return 0.0, 0.0, False
    low = max(min(seen), min(full) / 10**_DECADES)
    return low, max(low, *seen), low > min(seen)


def _cells(
    names: list[str], spans: Sequence[Span], left: float, unit: float, row: float, low: float, high: float
) -> list[str]:
    """What trains, as one path per colour; as coarse in time as keeps the picture small."""
    reach = math.log(high / low) if high > low > 0 else 0.0

    def level(rate: float, factor: float) -> int | None:
        if rate <= 0:
            return None
        share = math.log(max(rate * factor, 1e-30) / low) / reach if reach else 1.0
        return round(min(1.0, max(0.0, share)) * (_LEVELS - 1))

    regions: _Regions = {}
    for width in (2, 4, 8, 16, 32, math.inf):  # of a column
        columns: list[_Column] = []
        for span in spans:
            length = span.stop - span.start
            count = max(1, min(length, round(length * unit / width)))
            borders = [span.start + length * i / count for i in range(count + 1)]
            for before, after in pairwise(borders):
                factor = span.factor(int((before + after) / 2) - span.start)
                found = {rate: level(rate, factor) for rate in {0.0, *span.rates.values()}}
                cells = [found[span.rates.get(name, 0.0)] for name in names]
                columns.append((round(left + before * unit, 1), round(left + after * unit, 1), cells))
        regions = _merged(columns)
        if sum(map(len, regions.values())) <= _MANY:
            break
    columns = []
    for span in spans:
        some = [None if span.rates.get(name) and name not in span.partial else True for name in names]
        columns.append((round(left + span.start * unit, 1), round(left + span.stop * unit, 1), some))
    parts = _merged(columns)  # with what is frozen, which makes fewer regions: grey on grey shows nothing
    lines = []
    for key in sorted(regions, key=str):
        assert isinstance(key, int)
        shade = colour(key / (_LEVELS - 1))
        lines.append(f'<path class="rate" fill="{shade}" shape-rendering="crispEdges" d="{_path(regions[key], row)}"/>')
    if any(span.partial for span in spans):
        tile = f"tlx-part-{round(row * 100)}"  # equal names on one page are equal tiles
        edge = _n(row * 0.3, 2)
        lines += [
            f'<pattern id="{tile}" patternUnits="userSpaceOnUse" y="{_n(_TOP)}" width="8" height="{_n(row, 3)}">'
            f'<path d="M0 0h8v{edge}h-8zM0 {_n(row * 0.7, 2)}h8v{edge}h-8z" fill="{FROZEN}"/></pattern>',
            f'<path class="partial" fill="url(#{tile})" d="{_path(parts[True], row)}"/>',
        ]
    return lines


def _merged(columns: Iterable[_Column]) -> _Regions:
    """Equal neighbours as rectangles: down the rows first, then along the columns."""
    done: _Regions = {}
    going: dict[tuple[Hashable, int, int], tuple[float, float]] = {}
    for begin, end, cells in columns:
        here, at = {}, 0
        for key, run in groupby(cells):
            size = sum(1 for _ in run)
            if key is not None and end > begin:
                here[(key, at, at + size)] = (begin, end)
            at += size
        for place, (x, stop) in going.items():
            if place in here and stop == begin:
                here[place] = (x, end)
            else:
                done.setdefault(place[0], []).append((x, stop, *place[1:]))
        going = here
    for place, (x, stop) in going.items():
        done.setdefault(place[0], []).append((x, stop, *place[1:]))
    return done


def _path(regions: list[tuple[float, float, int, int]], row: float) -> str:
    parts = []
    for begin, end, top, bottom in regions:
        y, width = round(_TOP + top * row, 1), _n(end - begin)
        parts.append(f"M{_n(begin)} {_n(y)}h{width}v{_n(round(_TOP + bottom * row, 1) - y)}h-{width}z")
    return "".join(parts)


def _rows(names: list[str], labels: list[str], left: float, row: float) -> list[str]:
    """A separator and a name for a pointer per row; labels as dense as they can be read, the ends always."""
    line = min(1.0, row / 12) if row > 6 else 0
    box = f'x="{_n(left)}" width="{_n(_WIDTH)}" height="{_n(row, 2)}"'
    rows = [f'<g class="rows" fill="none" pointer-events="all" stroke="#fff" stroke-width="{_n(line, 2)}">']
    rows += [
        f'<rect {box} y="{_n(_TOP + i * row, 2)}"><title>{escape(_clean(name))}</title></rect>'
        for i, name in enumerate(names)
    ]
    every, last = math.ceil(13 / row), len(names) - 1
    shown = {i for i in range(0, len(names), every) if i == 0 or last - i >= every} | {max(0, last)}
    texts = [
        _text(left - 8, _TOP + (i + 0.5) * row + 4, labels[i], "end", kind="stage") for i in sorted(shown) if labels
    ]
    return [*rows, "</g>", *texts]


def _phase_labels(titled: Sequence[tuple[int, int, str]], left: float, unit: float) -> tuple[list[str], list[str]]:
    """Above the plot the number and name of each phase, or what there is room for; below, what is then missing."""
    texts, free, complete = [], left, True
    for number, (start, stop, name) in enumerate(titled, start=1):
        middle, room = left + (start + stop) / 2 * unit, (stop - start) * unit
        whole = f"{number}: {name}" if len(titled) > 1 else name
        fits = len(whole) * 11 * _CHAR <= room - 6
        text = whole if fits else f"{number}"
        half = len(text) * 11 * _CHAR / 2
        complete = complete and fits
        if middle - half >= free and middle + half <= left + _WIDTH:
            texts.append(_text(middle, _TOP - 8, text, "middle", kind="phase", fill="#1a1a1a"))
            free = middle + half + 4
    listed = []
    for name, group in groupby(enumerate(titled, start=1), key=lambda pair: pair[1][2]):
        numbers = [number for number, _ in group]
        which = f"{numbers[0]}{f'–{numbers[-1]}' if len(numbers) > 1 else ''}: " if len(titled) > 1 else ""
        listed.append(f"{which}{_cut(name, 44)}")
    return texts, [] if complete else listed


def _axis(left: float, bottom: float, unit: float, total: int, steps_per_epoch: int) -> list[str]:
    if not total:
        return [_text(left + _WIDTH / 2, bottom + 17, "no optimizer steps", "middle")]
    by_step = total < steps_per_epoch
    size = 1 if by_step else max(1, steps_per_epoch)
    length = total / size
    step = _round_step(length / 10, whole=by_step)
    lines = []
    for i in range(int(length / step + 1e-9) + 1):
        x = left + i * step * size * unit
        lines.append(f'<path d="M{_n(x)} {_n(bottom)}v5" stroke="{_GREY}"/>')
        lines.append(_text(x, bottom + 17, f"{i * step:g}", "middle", kind="tick"))
    says = "optimizer step" if by_step else f"epoch (of {steps_per_epoch} optimizer steps)"
    return [*lines, _text(left + _WIDTH / 2, bottom + 33, says, "middle")]


def _legend(x: float, low: float, high: float, clipped: bool, partial: bool) -> list[str]:
    """The colour bar with labelled rates, and the ground's meaning."""
    tall, lines = 120.0, [_text(x, _TOP + 2, "learning rate")] if high else []
    top = _TOP + 14
    if high > low:
        each = tall / _LEVELS
        for i in range(_LEVELS):
            box = f'y="{_n(top + tall - (i + 1) * each, 2)}" width="14" height="{_n(each + 0.3, 2)}"'
            lines.append(f'<rect class="bar" x="{_n(x)}" {box} fill="{colour(i / (_LEVELS - 1))}"/>')
        placed: list[float] = []
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for rate in [high, low, *(10.0**k for k in decades), *(m * 10.0**k for k in decades for m in (2, 5))]:
            y = top + tall * (1 - math.log(rate / low) / math.log(high / low))
            if low <= rate <= high and all(abs(y - other) >= 14 for other in placed):
                placed.append(y)
                sign = "≤ " if clipped and rate == low else ""
                lines.append(_text(x + 20, y + 4, f"{sign}{rate:.2g}", kind="rate"))
    elif high:
        lines.append(f'<rect class="bar" x="{_n(x)}" y="{_n(top)}" width="14" height="14" fill="{colour(1)}"/>')
        lines.append(_text(x + 20, top + 11, f"{high:.2g}", kind="rate"))
    y = top + (tall + 14 if high > low else 28 if high else -12)
    lines += [
        f'<rect x="{_n(x)}" y="{_n(y)}" width="14" height="14" fill="{FROZEN}"/>',
        _text(x + 20, y + 11, "frozen"),
    ]
    if partial:
        y += 20
        lines.append(f'<rect x="{_n(x)}" y="{_n(y)}" width="14" height="14" fill="{FROZEN}"/>')
        lines.append(f'<rect x="{_n(x)}" y="{_n(y + 4)}" width="14" height="6" fill="{colour(0.6)}"/>')
        lines.append(_text(x + 20, y + 11, "part trains"))
    return lines


def _shared(names: Sequence[str]) -> str:
    """The path all blocks share but for its last part: ``encoder.encoder.`` of ``encoder.encoder.layer.0``."""
    paths = [part.split(".")[:-1] for name in names for part in name.split(" to ") if "." in part]
    shared = list(takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False)))
    return "".join(f"{parts[0]}." for parts in shared[:-1])


def _round_step(least: float, whole: bool) -> float:
    """1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))
    return max(1.0, step) if whole else step


def _cut(text: str, length: int) -> str:
    half = (length - 1) // 2
    return text if len(text) <= length else f"{text[:half]}…{text[-half:]}"


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str = "start",
    size: int = 11,
    fill: str = "#444",
    bold: bool = False,
    kind: str = "",
) -> str:
    extra = (f' class="{kind}"' if kind else "") + (' font-weight="600"' if bold else "")
    place = f'x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"'
    return f"<text {place}{extra}>{escape(_clean(text))}</text>"


def _clean(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _n(value: float, digits: int = 1) -> str:
    return f"{round(value, digits):.10g}"
