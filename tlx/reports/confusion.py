"""Which label is taken for which, as one SVG text: labels as rows, predictions as columns, shades as shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from tlx.files.printable import printable

MARK = "<metadata>tlx confusion</metadata>"  # near the beginning: how a picture made here is known again
_MOST = 40  # labels that are drawn
_CELL, _TOP, _LETTER, _LONGEST = 22, 62, 6.6, 22
_NUMBERS = 25  # labels up to which the numbers are written into the cells


def draw(names: Sequence[str], pairs: Iterable[tuple[str, str, int]]) -> str:
    """The picture of ``pairs`` (label, prediction, examples); of very many labels those with the most mistakes."""
    cells = {(label, prediction): count for label, prediction, count in pairs}
    wrong: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for (label, prediction), count in cells.items():
        total[label] += count
        if label != prediction:
            wrong.update({label: count, prediction: count})
    most = sorted(names, key=lambda name: -wrong[name])[:_MOST]
    shown = [name for name in names if name in set(most)]
    title = f"What is taken for what: {sum(total.values()):,} examples, of which {_mistakes(cells):,} wrongly"
    more = "rows: the label; columns: the prediction; shades: shares of a row"
    if len(shown) < len(names):
        more = f"the {len(shown)} of {len(names):,} labels with the most mistakes; {more}"
    left = 16 + max((len(_cut(name)) for name in shown), default=0) * _LETTER
    size = _CELL * len(shown)
    bottom = _TOP + size
    width = max(left + size + 24, 24 + max(len(title) * 7.6, len(more) * 6.2))
    height = bottom + left + 8
    body = [
        _text(16, 26, title, size=14, weight=' font-weight="bold"'),
        _text(16, 44, more, fill="#666"),
        *_cells(shown, cells, total, left),
    ]
    for i, name in enumerate(shown):
        middle = _TOP + (i + 0.5) * _CELL + 4
        body.append(_text(left - 6, middle, _cut(name), anchor="end"))
        across = left + (i + 0.5) * _CELL + 4
        body.append(_text(across, bottom + 8, _cut(name), anchor="end", turn=f"rotate(-90 {across:.1f} {bottom + 8})"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label={quoteattr(title)} font-family="sans-serif">\n{MARK}\n'
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _cells(shown: Sequence[str], cells: dict[tuple[str, str], int], total: Counter[str], left: float) -> list[str]:
    """One square for each pair that occurs; the name of both and the number for a pointer."""
    place = {name: i for i, name in enumerate(shown)}
    size = _CELL * len(shown)
    found = [f'<rect x="{left:.1f}" y="{_TOP}" width="{size}" height="{size}" fill="#f2f2f2"/>']
    for (label, prediction), count in cells.items():
        if label not in place or prediction not in place:
            continue
        share = count / total[label]
        x, y = left + place[prediction] * _CELL, _TOP + place[label] * _CELL
        colour = "#2c728e" if label == prediction else "#b3321d"
        said = escape(printable(f"{label} → {prediction}: {count:,} of {total[label]:,}"))
        found.append(
            f'<rect class="pair" x="{x:.1f}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" fill="{colour}" '
            f'fill-opacity="{0.12 + 0.88 * share:.2f}"><title>{said}</title></rect>'
        )
        if len(shown) <= _NUMBERS:
            fill = "#fff" if share > 0.5 else "#1a1a1a"
            number = f"{count}" if count < 10_000 else f"{count // 1000}k"
            found.append(_text(x + _CELL / 2 - 0.5, y + _CELL / 2 + 3, number, size=8, fill=fill, anchor="middle"))
    return found


def _mistakes(cells: dict[tuple[str, str], int]) -> int:
    return sum(count for (label, prediction), count in cells.items() if label != prediction)


def _cut(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 11,
    fill: str = "#1a1a1a",
    anchor: str = "start",
    turn: str = "",
    weight: str = "",
) -> str:
    turned = f' transform="{turn}"' if turn else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"{weight}{turned}>'
        f"{escape(text)}</text>"
    )
