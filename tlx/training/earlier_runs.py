"""Finished runs that a trial begins from, by folder or MLflow id: where they lie, and a hash of what they trained."""

from __future__ import annotations

from pathlib import Path

from tlx.config.errors import ConfigIssue, WeightsError
from tlx.config.schema import Trial
from tlx.config.tracking import Tracking
from tlx.files import foreign, regular
from tlx.runs import result as results
from tlx.runs.trained_content import trained_content
from tlx.tracking.store import run_folder

RUN, MLFLOW = "run:", "mlflow:"


def is_named(source: str) -> bool:
    """Does this name a run: ``run:<folder>``, ``mlflow:<run id>``?"""
    return source.startswith((RUN, MLFLOW))


def folder(source: str, tracking: Tracking, key: str) -> Path:
    """The folder of a finished run.

    Args:
        source: As :func:`is_named` knows it.
        tracking: The store that is asked for MLflow's runs.
        key: The option that names it, for messages.

    Raises:
        WeightsError: There is none, it is not finished, or it lacks a file that it names.
    """
    if source.startswith(MLFLOW):
        return run_folder(tracking, source.removeprefix(MLFLOW), key)
    where = Path(source.removeprefix(RUN)).expanduser().resolve()
    if not where.is_dir():
        raise WeightsError([ConfigIssue(key, f"no such folder, seen from {Path.cwd()}", source)])
    if results.is_older(where):
        raise WeightsError([ConfigIssue(key, results.OLDER, source)])
    if results.result_in(where) is None:
        fault = results.incomplete(where) or "is not finished, or no run folder"
        message = f"expected the folder of a finished run; {fault} (tlx status says what is)"
        raise WeightsError([ConfigIssue(key, message, source)])
    return where


def fingerprint(where: Path, key: str) -> str:
    """What a finished run trained and what it left as it was, by content; raises :class:`WeightsError`."""
    try:
        return trained_content(where)
    except (OSError, foreign.Unreadable) as error:
        reason = regular.reason(error) if isinstance(error, OSError) else f"it {error}"
        raise WeightsError([ConfigIssue(key, f"cannot be read: {reason}", where)]) from error


def begins_from(trial: Trial) -> str:
    """The run whose whole model a trial begins from, as ``strategy.init`` names it; empty for none."""
    return trial.strategy.init if is_named(trial.strategy.init) else ""
