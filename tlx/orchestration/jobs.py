"""A trial of a sweep, before and after it was run."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.schema import Trial
from tlx.orchestration.pruning import PRUNED, Pruner
from tlx.runs.describe import label
from tlx.runs.folder import RunFolder
from tlx.runs.result import Result


@dataclass(eq=False)
class Job:
    """A trial to run, after the trials whose identities it waits for."""

    trial: Trial
    place: RunFolder
    after: frozenset[str] = frozenset()
    alone: bool = False  # never side by side with others
    again: bool = False  # it was begun before, beside others
    kept: bool = False  # it has a result, which counts if the trial it waits for ends as it did before
    pruner: Pruner | None = None  # may end it early

    @property
    def label(self) -> str:
        """The trial's name, with what its sweep varies."""
        return label(self.trial, self.place.name)


@dataclass
class Outcome:
    """How a job ended: with a result, or with the reason it has none."""

    job: Job
    result: Result | None
    reason: str = ""
    elsewhere: bool = False  # another command ran it
    kept: bool = False  # it has the result that it had before

    @property
    def pruned(self) -> bool:
        """Was it ended early by the search it belongs to?"""
        return self.reason.startswith(f"{PRUNED}:")
