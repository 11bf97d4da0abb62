"""How often a study's report says "better" or "worse" where nothing differs, and how often it finds what does.

    python scripts/bench/null_studies.py [--studies 1000] [--shape quickstart] [--effect 0.0]

Scores are drawn, not trained: each seed has an effect of its own that all arms share, each trial its noise, as measured
in the quickstart study (standard deviation of paired differences 1.4 points). They go through the report of a study as
those of trials do, and the words are looked for in its page. With --effect the last arm is better by so many points.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlx.config.study import Arm, Study
from tlx.reports import page
from tlx.reports.study_record import StudyRecord
from tlx.reports.study_results import gather
from tlx.runs.metric import Metric
from tlx.runs.result import Result

ACCURACY = Metric("acc", "accuracy", "max", percent=True)
SHAPES = {"quickstart": (5, 3, 5), "schedules": (11, 2, 5), "pair": (2, 1, 5)}  # arms, points, seeds
PAIRED_DEVIATION = 0.014
NOWHERE = Path("/nonexistent")


@dataclass
class Counts:
    """Of studies: with a false or true word anywhere, with a bold arm, and with the effect found at a point."""

    studies: int = 0
    claimed: int = 0
    bold: int = 0
    raw: int = 0
    found: int = 0
    comparisons: int = 0


def main() -> None:
    """Simulate, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="quickstart")
    parser.add_argument("--effect", type=float, default=0.0, help="points by which the last arm is better")
    parser.add_argument("--seeds", type=int, default=None)
    asked = parser.parse_args()
    counts = Counts()
    rng = np.random.default_rng(0)
    for _ in range(asked.studies):
        look(counts, *draw(rng, asked.shape, asked.effect / 100, asked.seeds))
    n = counts.studies
    print(f"{asked.shape}, effect {asked.effect:g} points, {n} studies:")
    print(f'  "better" or "worse" anywhere in the page  {100 * counts.claimed / n:.1f} %')
    print(f"  a best arm in bold                        {100 * counts.bold / n:.1f} %")
    print(f"  a raw interval that leaves out zero       {100 * counts.raw / n:.1f} %")
    print(f"  the last arm is said to be better         {100 * counts.found / counts.comparisons:.1f} % of its points")


def draw(rng: np.random.Generator, shape: str, effect: float, seeds: int | None) -> tuple[Study, StudyRecord]:
    """A study's results."""
    arms, points, count = SHAPES[shape]
    names = [f"arm {i}" for i in range(arms)]
    study = Study(
        question="Does nothing differ?",
        arms={name: Arm() for name in names},
        axis="dataset.shots",
        points=list(range(points)),
        seeds=list(range(seeds or count)),
        control=names[0],
    )
    cells: dict[tuple[str, object], dict[int, Result]] = {}
    for point in study.points:
        shared = rng.normal(0.8, 0.03, len(study.seeds))
        for name in names:
            own = shared + rng.normal(0, PAIRED_DEVIATION / np.sqrt(2), len(study.seeds))
            own += effect if name == names[-1] else 0.0
            for seed, score in zip(study.seeds, own, strict=True):
                label = f"{name}-{point}-{seed}"
                cells.setdefault((name, point), {})[seed] = Result(
                    label, label, label, {"test/acc": float(score)}, 1, 1, 1, 1.0, 1.0, ACCURACY
                )
    return study, StudyRecord("null", study, NOWHERE, "none", cells=cells)


def look(counts: Counts, study: Study, record: StudyRecord) -> None:
    """Read the page as a person would."""
    found = gather(record)
    text = page.render(found, dict.fromkeys(("score", "gains", "curves", "cost"), ""), {})
    words = re.findall(r'<li class="(better|worse)">', text)
    counts.studies += 1
    counts.claimed += bool(words)
    counts.bold += '<summary class="best">' in text
    counts.raw += any(pair.comparison.difference.clear for pair in found.gains)
    last = list(study.arms)[-1]
    mine = [pair for pair in found.gains if pair.arm == last]
    counts.found += sum(found.verdict(pair) == "better" for pair in mine)
    counts.comparisons += len(mine)


if __name__ == "__main__":
    main()
