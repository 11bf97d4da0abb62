"""The picture of a schedule, read back from its SVG: rows, what is frozen, the order of colours, texts, size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import cos, pi
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from PIL import ImageFont

import tlx
from tlx.planning.schedule import of_plan
from tlx.planning.trial_plan import plan_trial
from tlx.reports.heatmap import FROZEN, Span, colour
from tlx.reports.schedule import of_events
from tlx.reports.timeline import MARK, draw

EVIL = "<b> & \"co'"
_REGION = re.compile(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-([\d.]+)z")


class Picture:
    """An SVG, and what it shows at a step of a stage."""

    def __init__(self, svg: str, total: int) -> None:
        self.root = ElementTree.fromstring(svg)
        self.rows = {box[0].text: box for box in self.of("rect") if len(box) and box[0].tag.endswith("title")}
        self.paths = [
            (path.get("class"), path.get("fill", ""), list(_regions(path)))
            for path in self.of("path")
            if path.get("class") in ("rate", "partial")
        ]
        self.ground = next(box for box in self.of("rect") if box.get("fill") == FROZEN)
        self.unit = float(self.ground.get("width", "")) / total

    def of(self, tag: str, kind: str | None = None) -> list[ElementTree.Element]:
        found = self.root.iter(f"{{http://www.w3.org/2000/svg}}{tag}")
        return [element for element in found if kind is None or element.get("class") == kind]

    def texts(self, kind: str | None = None) -> list[str]:
        return [element.text or "" for element in self.of("text", kind)]

    def at(self, stage: str, step: float, kind: str = "rate") -> str:
        """The colour of the one region there; what is frozen has none, so that the grey ground shows."""
        row = self.rows[stage]
        x = float(self.ground.get("x", "")) + step * self.unit
        y = float(row.get("y", "")) + float(row.get("height", "")) / 2
        found = [fill for one, fill, boxes in self.paths if one == kind and any(_holds(box, x, y) for box in boxes)]
        assert len(found) < 2
        return found[0] if found else FROZEN

    def boxes(self, kind: str) -> list[tuple[float, float, float]]:
        """From x to x at y, in DejaVu Sans, wider than most fonts a page may use."""
        file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
        boxes = []
        for text in self.of("text", kind):
            font = ImageFont.truetype(str(file), int(text.get("font-size", "")))
            width, x = font.getlength(text.text or ""), float(text.get("x", ""))
            left = x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.get("text-anchor", "")]
            boxes.append((left, left + width, float(text.get("y", ""))))
        return boxes


def _regions(path: ElementTree.Element) -> Iterator[tuple[float, float, float, float]]:
    text = path.get("d", "")
    found = _REGION.findall(text)
    assert "".join(f"M{x} {y}h{w}v{h}h-{back}z" for x, y, w, h, back in found) == text
    for x, y, w, h, back in found:
        assert w == back
        yield float(x), float(y), float(x) + float(w), float(y) + float(h)


def _holds(box: tuple[float, float, float, float], x: float, y: float) -> bool:
    return box[0] <= x < box[2] and box[1] <= y < box[3]


def _light(shade: str) -> float:
    red, green, blue = (int(shade[i : i + 2], 16) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _no_overlap(boxes: list[tuple[float, float, float]]) -> None:
    for left, right in pairwise(boxes):
        assert left[2] != right[2] or left[1] < right[0]


def spans(names: Sequence[str], count: int, length: int, decay: float = 1.0) -> list[Span]:
    """Each phase a cosine over a scattered half of the stages."""
    rates = {name: 1e-3 * decay**i for i, name in enumerate(reversed(names))}
    chosen = [{name: r for k, (name, r) in enumerate(rates.items()) if (k * k + 7 * i) % 5 < 3} for i in range(count)]
    return [
        Span(
            i * length,
            (i + 1) * length,
            f"{len(some)} of {len(names)} stages, {i}",
            some,
            lambda s: _cosine(s, length),
        )
        for i, some in enumerate(chosen)
    ]


def _cosine(step: int, length: int) -> float:
    return 0.5 * (1 + cos(pi * step / length))


@pytest.mark.long
@pytest.mark.parametrize(
    "strategy",
    ["gradual_unfreezing", "chain_thaw", "half_ft", "feature_extraction", "norm_only", "plateau_switch", "logistic"],
)
def test_frozen_is_grey_exactly_where_the_plan_says_so(strategy: str) -> None:
    trial = tlx.compose(["backbone=test_resnet", "dataset=digits", f"strategy={strategy}"])
    found = plan_trial(trial)
    total = found.phases[-1].stop
    picture = Picture(of_plan(found, trial.strategy, EVIL), max(1, total))
    assert list(picture.rows) == [stage.name for stage in reversed(found.stages)]
    assert picture.texts("stage") == list(picture.rows)
    assert any(EVIL in text for text in picture.texts())
    for phase in found.phases:
        for step in [phase.start + 0.5, (phase.start + phase.stop) / 2, phase.stop - 0.5]:
            for stage in found.stages if phase.stop > phase.start else ():
                part = phase.plan.trainable & set(stage.names)
                assert (picture.at(stage.name, step) == FROZEN) == (not part), (phase.plan.name, stage.name, step)
                striped = picture.at(stage.name, step, "partial") != FROZEN
                assert not part or striped == (part != set(stage.names))


def test_a_higher_rate_is_lighter() -> None:
    names = [f"blocks.{i}" for i in range(6)]
    rates = {name: 1e-5 * 2**i for i, name in enumerate(names)}
    picture = Picture(draw(names, [Span(0, 100, "all", rates, lambda s: (s + 1) / 100)], 100, 10, "up"), 100)
    seen = {rates[n] * (s + 1) / 100: _light(picture.at(n, s + 0.5)) for n in names for s in range(100)}
    lights = [light for _, light in sorted(seen.items())]
    assert lights == sorted(lights)
    assert len(set(lights)) > 25
    assert lights[0] == _light(colour(0))
    assert lights[-1] == _light(colour(1))
    assert picture.texts("rate")[0] == "0.00032"


def test_one_rate_is_one_colour_with_its_label() -> None:
    picture = Picture(draw(["stem", "head"], [Span(0, 10, "head", {"stem": 0.0, "head": 0.01})], 10, 10, "t"), 10)
    assert picture.at("stem", 5) == FROZEN
    assert {picture.at("head", step + 0.5) for step in range(10)} == {colour(1)}
    assert picture.texts("rate") == ["0.01"]


@pytest.mark.parametrize("decay", [1.0, 0.9])
@pytest.mark.parametrize("partial", [False, True])
def test_141_stages_in_40_phases_stay_small(decay: float, partial: bool) -> None:
    names = ["stem", *(f"layers.{i // 10}.blocks.{i % 10}" for i in range(139)), "head"]
    phases = spans(names, 40, 25, decay)
    if partial:
        phases = [Span(s.start, s.stop, s.name, s.rates, s.factor, frozenset(names)) for s in phases]
    svg = draw(names, phases, 1000, 100, "large")
    assert len(svg.encode()) < 100_000
    picture = Picture(svg, 1000)
    assert len(picture.rows) == 141
    for phase in phases[::5]:
        for name in names[::3]:
            assert (picture.at(name, phase.start + 12.5) == FROZEN) == (name not in phase.rates)
    boxes = sorted(picture.boxes("stage"), key=lambda box: box[2])
    assert 30 < len(boxes) < 60
    assert all(lower[2] - upper[2] >= 11 for upper, lower in pairwise(boxes))
    assert picture.texts("stage")[0] == "head"
    assert picture.texts("stage")[-1] == "stem"


@pytest.mark.parametrize("count", [1, 2, 5, 12, 40, 150])
def test_texts_do_not_overlap(count: int) -> None:
    names = ["encoder.encoder.layer.0 to encoder.encoder.layer.31", f"tower{EVIL}.blocks.1", "head"]
    picture = Picture(draw(names, spans(names, count, 30), 30 * count, 30, f"{EVIL}\n{EVIL}"), 30 * count)
    left = float(picture.ground.get("x", ""))
    for kind in ("phase", "tick", "listed"):
        _no_overlap(picture.boxes(kind))
    assert all(box[0] >= 0 and box[1] < left for box in picture.boxes("stage"))
    assert all(box[0] >= left - 1 for box in picture.boxes("phase"))
    edge = float(picture.root.get("width", ""))
    assert all(box[1] < edge for kind in ("phase", "tick", "listed", "rate") for box in picture.boxes(kind))
    assert len(picture.texts("phase")) >= min(count, 20)
    if count > 5:
        assert len(picture.texts("listed")) == count
    assert EVIL in picture.texts()
    assert picture.root.get("aria-label") == EVIL


@pytest.mark.parametrize(
    ("total", "ticks", "axis"),
    [
        (220, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], "epoch (of 22 optimizer steps)"),
        (12, ["0", "2", "4", "6", "8", "10", "12"], "optimizer step"),
        (3, ["0", "1", "2", "3"], "optimizer step"),
        (
            22,
            ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1"],
            "epoch (of 22 optimizer steps)",
        ),
        (2200, ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90", "100"], "epoch (of 22 optimizer steps)"),
        (0, [], "no optimizer steps"),
    ],
)
def test_the_axis(total: int, ticks: list[str], axis: str) -> None:
    svg = draw(["head"], [Span(0, total, "head", {"head": 1.0})], total, 22, "t")
    picture = Picture(svg, max(1, total))
    assert picture.texts("tick") == ticks
    assert axis in picture.texts()
    assert MARK in svg[:600]


def row(event: str, **fields: Any) -> dict[str, Any]:
    return {"event": event, "time": 0, **fields}


def phase(number: int, start: int, stop: int, rates: Mapping[str, float]) -> dict[str, Any]:
    return row("phase", number=number, name=" to ".join(rates), start=start, stop=stop, trainable=1, rates=rates)


def metrics(step: int, **rates: float) -> dict[str, Any]:
    values = {"val/acc": 0.5, **{f"optim/lr-{name}": rate for name, rate in rates.items()}}
    return row("metrics", step=step, epoch=step / 10, values=values)


def test_a_event_log_shows_what_happened() -> None:
    """A first phase that ended at step 20 of 40; a second that went on with less; a resumption that did steps again."""
    rows = [
        row("start", attempt="x"),
        phase(1, 0, 40, {"head": 0.1}),
        metrics(0),
        metrics(10, head=0.1),
        metrics(20, head=0.05),
        phase(2, 20, 60, {"stem": 0.01, "body": 0.01, "head": 0.1}),
        metrics(30, head=0.08, backbone=0.008),
        phase(3, 30, 60, {"stem": 0.01}),
        row("resume", step=20),
        metrics(30, head=0.08, backbone=0.008),
        phase(2, 30, 60, {"body": 0.01, "head": 0.1}),
        metrics(50, head=0.001, backbone=0.0001),
        row("end", status="KILLED", reason=""),
    ]
    picture = Picture(of_events(rows, ["stem", "body", "head"], 10), 50)
    assert picture.texts("tick") == [f"{i / 2:g}" for i in range(11)]
    frozen = {s: [picture.at(s, t) == FROZEN for t in (5, 19, 21, 29, 31, 49)] for s in ("head", "body", "stem")}
    assert frozen == {
        "head": [False] * 6,
        "body": [True, True, False, False, False, False],
        "stem": [True, True, False, False, True, True],
    }
    assert _light(picture.at("head", 5)) > _light(picture.at("head", 19.5)) > _light(picture.at("head", 49.5))
    lights = [_light(picture.at("head", step + 0.5)) for step in range(29, 50)]
    assert lights == sorted(lights, reverse=True)  # what stops training midway does not break the others' curve
    assert len(set(lights)) > 5
    assert len(picture.texts("phase")) == 2
    assert picture.texts("rate")[0] == "0.1"


def test_a_event_log_without_training_is_a_picture_too() -> None:
    picture = Picture(of_events([row("start", attempt="x")], ["stem", "head"], 10), 1)
    assert "no optimizer steps" in picture.texts()
    picture = Picture(of_events([phase(1, 0, 0, {}), metrics(0)], ["stem", "head"], 10), 1)
    assert picture.texts("listed") == ["nothing"]
