"""A freezing schedule as one SVG text: stages as rows, epochs along, colours for learning rates.

Drawn by hand and not by matplotlib, whose import costs every trial 1.5 s: this takes milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, takewhile
from xml.sax.saxutils import escape, quoteattr

from tlx.reports.heatmap import FROZEN, LEVELS, TOP, WIDTH, Span, cells, colour, px, rate_range

MARK = "<metadata>tlx schedule</metadata>"  # near the beginning: how a picture made here is known again
_CHAR = 0.62  # width of a letter as a share of its size
_GREY = "#666"


def draw(stages: Sequence[str], spans: Sequence[Span], total: int, steps_per_epoch: int, title: str) -> str:
    """The picture: ``stages`` (shallow to deep) as rows, the deepest on top, against ``total`` optimizer steps.

    Lines of ``title`` after the first are set smaller.
    """
    names = list(reversed(stages))
    prefix = _shared(names)
    labels = [_cut(name.replace(prefix, ""), 26) for name in names]
    row = max(3.4, min(24.0, 480 / max(1, len(names))))
    left = 24 + max((len(label) for label in labels), default=0) * 11 * _CHAR
    right, bottom = left + WIDTH, TOP + row * len(names)
    unit = WIDTH / max(1, total)
    titled = [(span.start, span.stop, span.name.replace(prefix, "")) for span in spans if span.name]
    above, listed = _phase_labels(titled, left, unit)
    low, high, clipped = rate_range(spans)
    borders = "".join(f"M{px(left + x * unit)} {px(TOP - 5)}V{px(bottom)}" for x, _, _ in titled if x)
    foot = bottom + 56
    per_line = max(1, int(WIDTH / (max(map(len, listed), default=1) * 11 * _CHAR + 16)))
    body = [
        f'<rect x="{px(left)}" y="{px(TOP)}" width="{px(WIDTH)}" height="{px(bottom - TOP)}" fill="{FROZEN}"/>',
        *cells(names, spans, left, unit, row, low, high),
        *_rows(names, labels, left, row),
        *above,
        f'<path class="border" d="{borders}" stroke="#000" opacity=".55"/>',
        *_axis(left, bottom, unit, total, steps_per_epoch),
        *_legend(right + 26, low, high, clipped, any(span.partial for span in spans)),
    ]
    for i, entry in enumerate(listed):
        place = left + (i % per_line) * WIDTH / per_line, foot + 16 * (i // per_line)
        body.append(_text(*place, entry, kind="listed"))
    head, *more = title.splitlines() or [""]
    body += [_text(16, 26, _cut(head, int(right / (15 * 0.68))), size=15, fill="#1a1a1a", bold=True)]
    body += [_text(16, 44 + 14 * i, _cut(line, int(right / (11 * _CHAR)))) for i, line in enumerate(more)]
    width, height = right + 120, max(TOP + 190, foot - 4 + 16 * math.ceil(len(listed) / per_line))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {px(width)} {px(height)}" width="{px(width)}" '
        f'height="{px(height)}" role="img" aria-label={quoteattr(_clean(head))} font-family="sans-serif">\n{MARK}\n'
        f'<rect x=".5" y=".5" width="{px(width - 1)}" height="{px(height - 1)}" rx="8" fill="#fff" stroke="#ddd"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _rows(names: list[str], labels: list[str], left: float, row: float) -> list[str]:
    """A separator and a name for a pointer per row; labels as dense as they can be read, the ends always."""
    line = min(1.0, row / 12) if row > 6 else 0
    box = f'x="{px(left)}" width="{px(WIDTH)}" height="{px(row, 2)}"'
    rows = [f'<g class="rows" fill="none" pointer-events="all" stroke="#fff" stroke-width="{px(line, 2)}">']
    rows += [
        f'<rect {box} y="{px(TOP + i * row, 2)}"><title>{escape(_clean(name))}</title></rect>'
        for i, name in enumerate(names)
    ]
    every, last = math.ceil(13 / row), len(names) - 1
    shown = {i for i in range(0, len(names), every) if i == 0 or last - i >= every} | {max(0, last)}
    texts = [
        _text(left - 8, TOP + (i + 0.5) * row + 4, labels[i], "end", kind="stage") for i in sorted(shown) if labels
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
        if middle - half >= free and middle + half <= left + WIDTH:
            texts.append(_text(middle, TOP - 8, text, "middle", kind="phase", fill="#1a1a1a"))
            free = middle + half + 4
    listed = []
    for name, group in groupby(enumerate(titled, start=1), key=lambda pair: pair[1][2]):
        numbers = [number for number, _ in group]
        which = f"{numbers[0]}{f'–{numbers[-1]}' if len(numbers) > 1 else ''}: " if len(titled) > 1 else ""
        listed.append(f"{which}{_cut(name, 44)}")
    return texts, [] if complete else listed


def _axis(left: float, bottom: float, unit: float, total: int, steps_per_epoch: int) -> list[str]:
    if not total:
        return [_text(left + WIDTH / 2, bottom + 17, "no optimizer steps", "middle")]
    by_step = total < steps_per_epoch
    size = 1 if by_step else max(1, steps_per_epoch)
    length = total / size
    step = _round_step(length / 10, whole=by_step)
    lines = []
    for i in range(int(length / step + 1e-9) + 1):
        x = left + i * step * size * unit
        lines.append(f'<path d="M{px(x)} {px(bottom)}v5" stroke="{_GREY}"/>')
        lines.append(_text(x, bottom + 17, f"{i * step:g}", "middle", kind="tick"))
    says = "optimizer step" if by_step else f"epoch (of {steps_per_epoch} optimizer steps)"
    return [*lines, _text(left + WIDTH / 2, bottom + 33, says, "middle")]


def _legend(x: float, low: float, high: float, clipped: bool, partial: bool) -> list[str]:
    """The colour bar with labelled rates, and the ground's meaning."""
    tall, lines = 120.0, [_text(x, TOP + 2, "learning rate")] if high else []
    top = TOP + 14
    if high > low:
        each = tall / LEVELS
        for i in range(LEVELS):
            box = f'y="{px(top + tall - (i + 1) * each, 2)}" width="14" height="{px(each + 0.3, 2)}"'
            lines.append(f'<rect class="bar" x="{px(x)}" {box} fill="{colour(i / (LEVELS - 1))}"/>')
        placed: list[float] = []
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for rate in [high, low, *(10.0**k for k in decades), *(m * 10.0**k for k in decades for m in (2, 5))]:
            y = top + tall * (1 - math.log(rate / low) / math.log(high / low))
            if low <= rate <= high and all(abs(y - other) >= 14 for other in placed):
                placed.append(y)
                sign = "≤ " if clipped and rate == low else ""
                lines.append(_text(x + 20, y + 4, f"{sign}{rate:.2g}", kind="rate"))
    elif high:
        lines.append(f'<rect class="bar" x="{px(x)}" y="{px(top)}" width="14" height="14" fill="{colour(1)}"/>')
        lines.append(_text(x + 20, top + 11, f"{high:.2g}", kind="rate"))
    y = top + (tall + 14 if high > low else 28 if high else -12)
    lines += [
        f'<rect x="{px(x)}" y="{px(y)}" width="14" height="14" fill="{FROZEN}"/>',
        _text(x + 20, y + 11, "frozen"),
    ]
    if partial:
        y += 20
        lines.append(f'<rect x="{px(x)}" y="{px(y)}" width="14" height="14" fill="{FROZEN}"/>')
        lines.append(f'<rect x="{px(x)}" y="{px(y + 4)}" width="14" height="6" fill="{colour(0.6)}"/>')
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
    place = f'x="{px(x)}" y="{px(y)}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"'
    return f"<text {place}{extra}>{escape(_clean(text))}</text>"


def _clean(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
