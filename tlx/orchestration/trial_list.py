"""The trials that would run, as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from tlx.orchestration.jobs import Job
from tlx.planning.tables import table


def show(jobs: Sequence[Job], later: int, console: Console) -> None:
    """Print trials with their state; ``later``: how many more follow from what a study's tuning finds."""
    shown = table("trial", "identity", "state")
    done = 0
    for job in jobs:
        finished = job.place.result() is not None
        done += finished
        shown.add_row(job.label, job.place.identity[:12], "done" if finished else "to run")
    console.print(shown)
    more = f"; up to {later} more follow from what tuning finds" if later else ""
    console.print(f"\n{len(jobs)} trials, {done} done{more}")
