"""One trial in this process, as a person starts it: recovered, shown, mirrored to MLflow, stopped by Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tlx.config.rounding import asked_for, differences, told
from tlx.runs.recover import recover
from tlx.runs.result import Result, incomplete
from tlx.tracking.mlflow_sync import MLflowSync

if TYPE_CHECKING:
    from rich.console import Console

    from tlx.config.schema import Trial
    from tlx.runs.folder import RunFolder


def run(trial: Trial, place: RunFolder, console: Console, say: Callable[[str], None]) -> Result:
    """Train a trial, or return the result that it has already, for which nothing heavy is imported.

    Args:
        trial: Its resolved configuration.
        place: Where it lives (:func:`tlx.training.locate.locate`).
        console: Shows how far it is.
        say: Hears a line for whatever is chosen, loaded or measured.

    Raises:
        RequestError: Something that was asked for cannot be; nothing was started.
        Busy: Another process runs the trial.
        Stopped: A signal asked it to stop; its state is saved.
        KeyboardInterrupt: Ctrl-C, before there was a state to save.
        Exception: Whatever training raises. The event log has the reason.
    """
    recover(place.path)
    if (finished := place.result()) is not None:
        others = told(differences(finished.rounding, asked_for(trial)))
        say(f"already finished{f', made with {others}' if others else ''}; nothing was trained")
        return finished
    from tlx.orchestration.trial_progress import TrialProgress
    from tlx.runs.signals import Stopped, stoppable
    from tlx.runs.stale_siblings import find_stale_siblings
    from tlx.training.machine import rank
    from tlx.training.runner import train

    if rank() > 0:  # a process Lightning started beside the first: it computes, the first one speaks
        with stoppable(lambda line: None):
            return train(trial, place=place)
    say(f"trial {place.name}  ({place.identity})")
    if reason := incomplete(place.path):
        say(f"it was finished, but {reason}: it is run again")
    elif reason := place.outdated():
        say(f"{reason}: this trial began from other weights and is run again")
    for line in find_stale_siblings(trial, place):
        say(line)
    try:
        with MLflowSync(trial.tracking) as mirror, stoppable(say), TrialProgress(console) as progress:
            mirror.watch(place.path)
            return train(trial, say, place=place, progress=progress)
    except Stopped:
        raise
    except SystemExit as stop:
        if stop.code == 1:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise
