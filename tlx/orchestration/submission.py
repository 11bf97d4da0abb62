"""A sweep handed to Slurm: its trials are queued, and nothing waits for them."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config import output
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.orchestration.backends import slurm
from tlx.orchestration.backends.launchers import Slurm
from tlx.orchestration.jobs import Job
from tlx.orchestration.preflight import preflight
from tlx.orchestration.sweep import OnResult, gather
from tlx.orchestration.sweep_record import Sweep, SweepRecord, described
from tlx.runs.lock import locked
from tlx.tracking.mlflow_sync import MLflowSync


def submit(name: str, jobs: list[Job], launcher: Slurm, *, on_result: OnResult = lambda outcome: ()) -> SubmittedSweep:
    """Hand what is not finished to Slurm, and return at once.

    Raises :class:`ConfigError` where Slurm refuses, and :class:`~tlx.runs.lock.Busy` while another process submits.
    """
    sweep, todo = gather(name, jobs, on_result, launcher=launcher)
    first = jobs[0].trial
    if not todo:
        return SubmittedSweep(sweep, [], 0)
    _refuse_what_slurm_ignores(first)
    preflight(one.trial for one in todo)
    output.claim(sweep.folder.parent)
    with locked(sweep.folder, f"the sweep {name}"), MLflowSync(first.tracking) as mirror:
        mirror.watch(sweep.folder)
        record = SweepRecord(sweep, described(name, first, sweep.folder))
        record.begin()
        record.members(0)
        return SubmittedSweep(sweep, slurm.submit(name, sweep.folder, todo, launcher), len(todo))


def _refuse_what_slurm_ignores(trial: Trial) -> None:
    """Nothing of tlx waits beside the queue that could end the others."""
    asked = {"on_failure": trial.sweep.on_failure == "stop", "minutes": trial.sweep.minutes is not None}
    message = "nothing waits for trials in Slurm's queue: leave it out; a trial's time is hydra.launcher.time"
    problems = [ConfigIssue(f"sweep.{key}", message, getattr(trial.sweep, key)) for key, said in asked.items() if said]
    if problems:
        raise ConfigError(problems)


@dataclass
class SubmittedSweep:
    """A sweep whose trials are Slurm's."""

    sweep: Sweep
    jobs: list[str]  # Slurm's numbers of what was submitted now
    open: int  # trials that are not finished, queued before or now
