"""The page of a study made from results written by hand: complete, escaped, self-contained, linked."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tlx.config.study import Arm, Study
from tlx.files.checksum import with_checksum
from tlx.reports import page, sentences, tables
from tlx.reports.study_record import StudyRecord
from tlx.reports.study_results import StudyResults, gather
from tlx.runs.metric import Metric
from tlx.runs.result import Result
from tlx.tracking.event_log import EventLog

ACCURACY = Metric("acc", "accuracy", "max", percent=True)
EVIL = "<script>alert('x')</script> & co"
ARMS = {"control": 0.5, EVIL: 0.7, "same": 0.5}


@pytest.fixture
def found(folder: Path) -> StudyResults:
    study = Study(
        question=f"Is it better? {EVIL}",
        arms={arm: Arm() for arm in ARMS},
        axis="dataset.shots",
        points=[1, 5],
        seeds=[0, 1, 2],
        control="control",
    )
    cells: dict[tuple[str, object], dict[int, Result]] = {}
    for a, (arm, base) in enumerate(ARMS.items()):
        for point in study.points:
            for seed in study.seeds:
                wobble = 0.01 * seed + {"control": 0.0, "same": 0.02 * (seed - 1), EVIL: 0.003 * seed}[arm]
                cells.setdefault((arm, point), {})[seed] = _result(folder, f"r{a}-{point}-{seed}", base + wobble)
    failures = [("broken-trial", EVIL)]
    return gather(
        StudyRecord("toy", study, folder / "runs", "tlx sweep experiment=toy", cells=cells, failures=failures)
    )


def _result(folder: Path, name: str, score: float) -> Result:
    where = folder / "runs" / name
    where.mkdir(parents=True)
    book = EventLog(where)
    for step in (10, 20):
        values = {"train/loss": 1.0, "val/acc": score * step / 20 + 0.25}
        book.write("metrics", step=step, epoch=step / 5, values=values)
    result = Result(name, name, name, {"val/acc": score, "test/acc": score}, 20, 100, 50, 1.5, 2.0, ACCURACY)
    (where / "result.json").write_text(with_checksum(json.dumps(asdict(result))))
    return result


def test_findings_are_paired_and_honest(found: StudyResults) -> None:
    better, same = found.gain(EVIL, 1), found.gain("same", 5)
    assert better is not None
    assert same is not None
    assert better.comparison.difference.mean == pytest.approx(0.203)
    assert "better than control" in sentences.sentence(found, better)
    assert "no difference from control shown" in sentences.sentence(found, same)
    assert str(found.cells[(EVIL, 1)].reached) == "11–20"
    assert found.cells[("control", 1)].reached is None
    assert found.best(1) == EVIL


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [
            value for name, value in attrs if name in ("href", "src") and value and not value.startswith("#")
        ]


def test_the_page_is_self_contained_and_escaped(found: StudyResults, folder: Path) -> None:
    home = folder / "runs" / "toy"
    home.mkdir()
    path = page.write(found, home)
    text = path.read_text(encoding="utf-8")
    parser = _Links()
    parser.feed(text)
    assert "script" not in parser.tags
    assert "alert" in text  # the words are there, as words
    outside = [link for link in parser.links if re.match(r"[a-z]+:", link)]
    assert outside == []
    files = [link for link in parser.links if link.endswith("result.json")]
    assert len(files) == 3 * 2 * 3
    assert all((home / link).is_file() for link in files)
    assert parser.tags.count("svg") == 4
    assert sorted(p.name for p in home.glob("*.svg")) == ["cost.svg", "curves.svg", "gains.svg", "score.svg"]
    assert (home / "runs.csv").read_text().count("\n") == 1 + 3 * 2 * 3
    assert (home / "comparisons.csv").read_text().count("\n") == 1 + 2 * 2 + 3 * 2


def test_the_same_findings_are_the_same_page(found: StudyResults, folder: Path) -> None:
    texts = []
    for name in ("one", "two"):
        (folder / "runs" / name).mkdir()
        texts.append(page.write(found, folder / "runs" / name).read_bytes())
    assert texts[0] == texts[1]


def test_the_note_is_a_markdown_table(found: StudyResults) -> None:
    lines = [line for line in tables.markdown(found).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(ARMS)
    assert len({line.count("|") for line in lines}) == 1
    assert "50.0" not in lines[3]
    assert "~" in lines[-1]
