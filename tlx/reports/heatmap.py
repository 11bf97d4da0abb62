"""A heat map in SVG: rows of rates over time, one path per colour, equal neighbours merged.

So hundreds of stages and dozens of phases stay below 100 KB. What is frozen is the grey ground it lies on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

WIDTH, TOP = 700.0, 74.0  # of the plot, and above it
FROZEN = "#e4e4e4"
_VIRIDIS = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")
LEVELS = 32  # colours told apart, so that neighbours can be merged
_MANY = 3000  # regions: about 60 KB
_DECADES = 2.0  # how far below the smallest full rate colours still differ: a cosine ends near 0

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


def colour(share: float) -> str:
    """Viridis, from 0 (dark) to 1 (light)."""
    place = min(1.0, max(0.0, share)) * (len(_VIRIDIS) - 1)
    i = min(int(place), len(_VIRIDIS) - 2)
    pairs = [(int(_VIRIDIS[i][k : k + 2], 16), int(_VIRIDIS[i + 1][k : k + 2], 16)) for k in (0, 2, 4)]
    return "#" + "".join(f"{round(a + (b - a) * (place - i)):02x}" for a, b in pairs)


def rate_range(spans: Sequence[Span]) -> tuple[float, float, bool]:
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


def cells(
    names: list[str], spans: Sequence[Span], left: float, unit: float, row: float, low: float, high: float
) -> list[str]:
    """What trains, as one path per colour; as coarse in time as keeps the picture small."""
    reach = math.log(high / low) if high > low > 0 else 0.0

    def level(rate: float, factor: float) -> int | None:
        if rate <= 0:
            return None
        share = math.log(max(rate * factor, 1e-30) / low) / reach if reach else 1.0
        return round(min(1.0, max(0.0, share)) * (LEVELS - 1))

    regions: _Regions = {}
    for width in (2, 4, 8, 16, 32, math.inf):  # of a column
        columns: list[_Column] = []
        for span in spans:
            length, before_it = span.stop - span.start, None
            count = max(1, min(length, round(length * unit / width)))
            borders = [span.start + length * i / count for i in range(count + 1)]
            rates = {0.0, *span.rates.values()}
            for before, after in pairwise(borders):
                factor = span.factor(int((before + after) / 2) - span.start)
                found = {rate: level(rate, factor) for rate in rates}
                begin, end = round(left + before * unit, 1), round(left + after * unit, 1)
                if found == before_it:  # the same colours go on
                    columns[-1] = (columns[-1][0], end, columns[-1][2])
                else:
                    columns.append((begin, end, [found[span.rates.get(name, 0.0)] for name in names]))
                before_it = found
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
        shade = colour(key / (LEVELS - 1))
        lines.append(f'<path class="rate" fill="{shade}" shape-rendering="crispEdges" d="{_path(regions[key], row)}"/>')
    if any(span.partial for span in spans):
        tile = f"tlx-part-{round(row * 100)}"  # equal names on one page are equal tiles
        edge = px(row * 0.3, 2)
        lines += [
            f'<pattern id="{tile}" patternUnits="userSpaceOnUse" y="{px(TOP)}" width="8" height="{px(row, 3)}">'
            f'<path d="M0 0h8v{edge}h-8zM0 {px(row * 0.7, 2)}h8v{edge}h-8z" fill="{FROZEN}"/></pattern>',
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
        y, width = round(TOP + top * row, 1), px(end - begin)
        parts.append(f"M{px(begin)} {px(y)}h{width}v{px(round(TOP + bottom * row, 1) - y)}h-{width}z")
    return "".join(parts)


def px(value: float, digits: int = 1) -> str:
    return f"{round(value, digits):.10g}"
