"""A finished trial counts while what it began from is what it was, through any number of earlier trials."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tlx.runs import layout
from tlx.runs.folder import RunFolder
from tlx.runs.metric import Metric
from tlx.runs.result import Result
from tlx.runs.trained_content import FACT, content_if_finished

_SERIAL = itertools.count()


def chain(root: Path, length: int) -> list[RunFolder]:
    """Trials, each of which begins from the one before it."""
    places: list[RunFolder] = []
    for number in range(length):
        source = places[-1] if places else None
        places.append(RunFolder(root / f"t{number}-0", f"{number:016}", f"t{number}", {}, {}, "", f"e{number}", source))
    return places


def train(place: RunFolder) -> None:
    """Leave what a trial leaves that was trained just now: other weights than ever before."""
    place.path.mkdir(parents=True, exist_ok=True)
    (place.path / layout.CHECKPOINT).write_text(f"weights {next(_SERIAL):09}")
    (place.path / layout.FROZEN).write_text(json.dumps({"sum": "same"}))
    content = content_if_finished(place.source.path) if place.source is not None else None
    facts = {FACT: content} if content else {}
    files = {name: (place.path / name).stat().st_size for name in (layout.CHECKPOINT, layout.FROZEN)}
    metric = Metric("acc", "accuracy", "max")
    found = Result(
        place.identity, place.name, place.path.name, {}, 1, 1, 1, 0.0, 0.0, metric, facts, {"x": 1}, files=files
    )
    place.finish(found)


def remove(place: RunFolder) -> None:
    """Take a trial's folder away."""
    for path in place.path.glob("*"):
        path.unlink()


@settings(max_examples=60)
@given(steps=st.lists(st.tuples(st.sampled_from(["train", "remove"]), st.integers(0, 3)), max_size=12))
def test_it_counts_while_its_source_is_what_it_was(steps: list[tuple[str, int]], tmp_path_factory: Any) -> None:
    """Against a model of versions: one that is stale, or began from one that is, does not count."""
    places = chain(tmp_path_factory.mktemp("chain"), 4)
    versions: dict[int, tuple[int, int | None]] = {}  # number -> its version, and that of what it began from
    for clock, (what, number) in enumerate(steps):
        if what == "remove":
            remove(places[number])
            versions.pop(number, None)
        elif number == 0 or counts(versions, number - 1):
            train(places[number])
            versions[number] = clock, versions[number - 1][0] if number else None
        for other, place in enumerate(places):
            assert (place.result() is not None) == counts(versions, other)
            assert bool(place.outdated()) == (other in versions and not counts(versions, other))


def counts(versions: dict[int, tuple[int, int | None]], number: int) -> bool:
    """Is a trial finished, as far as anybody knows?"""
    if number not in versions:
        return False
    if number == 0 or number - 1 not in versions:
        return True
    return counts(versions, number - 1) and versions[number - 1][0] == versions[number][1]


def test_the_reason_names_what_was_trained_anew(tmp_path: Path) -> None:
    places = chain(tmp_path, 3)
    for place in places:
        train(place)
    assert not any(place.outdated() for place in places)
    before = content_if_finished(places[0].path)
    train(places[0])
    after = content_if_finished(places[0].path)
    assert before is not None
    assert after is not None
    told = f"e0 was trained anew ({before[:12]} -> {after[:12]})"
    assert places[1].outdated() == told
    assert places[2].outdated() == f"e1 is to be run again itself: {told}"


def test_a_result_that_does_not_say_what_it_began_from_counts(tmp_path: Path) -> None:
    """It is of a release that did not record it."""
    first, second = chain(tmp_path, 2)
    train(second)
    train(first)
    assert second.result() is not None
