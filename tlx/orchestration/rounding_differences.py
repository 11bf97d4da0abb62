"""Finished trials of a sweep that were made with other rounding settings than are asked for now: one line on all."""

from __future__ import annotations

from dataclasses import dataclass, field

from tlx.config.rounding import asked_for, differences
from tlx.config.schema import Trial
from tlx.orchestration.backends.launchers import Launcher, Local, Ray, Slurm
from tlx.runs.result import Result


def threads_of(launcher: Launcher | Slurm) -> int:
    """The threads that a launcher gives to a process whose trial leaves them open; 0 where nobody knows."""
    if isinstance(launcher, Ray):
        return launcher.cpus
    if isinstance(launcher, Slurm):
        return launcher.cpus_per_task
    return 1 if type(launcher) is Local else 0


@dataclass
class RoundingDifferences:
    """Looks at finished trials, and counts those that were made otherwise."""

    threads: int = 1
    looked_at: int = 0
    otherwise: int = 0
    values: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)  # key -> made with, asked for

    def look(self, trial: Trial, result: Result) -> None:
        """Look at a trial that was finished before it was asked for."""
        self.looked_at += 1
        alone = (trial.hardware.devices or 1) == 1
        found = differences(result.rounding, asked_for(trial, self.threads if alone else None))
        self.otherwise += bool(found)
        for key, (made, asked) in found.items():
            before = self.values.setdefault(key, (set(), set()))
            before[0].add(made)
            before[1].add(asked)

    def line(self) -> str:
        """What is to be said of all of them; empty where all were made as is asked for."""
        if not self.otherwise:
            return ""
        others = [
            f"{key} ({', '.join(sorted(made))}; asked for {', '.join(sorted(asked))})"
            for key, (made, asked) in self.values.items()
        ]
        return f"{self.otherwise} of {self.looked_at} finished trials were made with other {', '.join(others)}"
