"""``tlx.train``: run one trial in this process, as the command ``tlx train`` does."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from tlx.api.request import speaker, trial_of
from tlx.api.run import Run, run_of
from tlx.composition.rules import refuse_many_trials
from tlx.composition.words import Words
from tlx.config.schema import Trial
from tlx.files.looking import shown_by
from tlx.orchestration import trial as trials
from tlx.reports.look import Look
from tlx.runs.signals import Stopped
from tlx.training.locate import locate


def train(
    overrides: Words | Trial = (), say: Callable[[str], None] | None = None, *, quiet: bool = False, **settings: Any
) -> Run:
    """Run a trial to its end, or return the run that there is already.

    Args:
        overrides: A text of overrides, a list of them, keys and values, or a composed trial.
        say: Hears the lines, in place of the output.
        quiet: Show nothing; lines go to the log ``tlx`` (level INFO).
        settings: More keys and values: ``seed=3``, ``strategy={"choice": "fine_tune", "lr": 0.01}``.

    Returns:
        What it found, and its folder.

    Raises:
        RequestError: Something that was asked for cannot be; nothing was started.
        Busy: Another process runs the trial.
        KeyboardInterrupt: Ctrl-C; where it says so the state is saved, and the same call goes on from it.
        Exception: Whatever training raises. The event log has the reason.

    Example:
        >>> tlx.train("backbone=pixels strategy=logistic", dataset="digits", seed=3)
    """
    trial = trial_of(overrides, settings)
    refuse_many_trials(trial)
    console, tell = speaker(quiet, say)
    try:
        with shown_by(Look(console)):
            place = locate(trial)
            result = trials.run(trial, place, console, tell)
    except Stopped as stop:
        tell(str(stop))
        if stop.code == 128 + signal.SIGINT:  # in a notebook, or before a prompt, nothing ends but the call
            raise KeyboardInterrupt(str(stop)) from None
        raise
    tell(f"record: {place.path}")
    return run_of(result, place.path)
