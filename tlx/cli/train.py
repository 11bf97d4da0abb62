"""tlx train [overrides]: run one trial, or return the result it has already.

tlx train backbone=resnet18 strategy=fine_tune dataset=imagefolder dataset.root=photos
tlx train experiment=letters
tlx train experiment=letters --cfg job                                (the resolved configuration, and nothing else)
tlx train -m backbone=resnet18,vit_tiny seed=0,1,2 dataset=digits     (a sweep: see tlx sweep --help)
"""

from __future__ import annotations

import sys

from rich.console import Console

from tlx.cli.arguments import Arguments
from tlx.cli.output import Terminal
from tlx.composition.compose import compose
from tlx.composition.multirun import is_sweep
from tlx.composition.rules import refuse_many_trials
from tlx.config.errors import ConfigError, ConfigIssue, RequestError
from tlx.config.schema import Trial, as_yaml


def run(words: list[str]) -> int:
    """The verb."""
    if "-m" in words or "--multirun" in words or is_sweep(words):
        from tlx.cli import sweep

        return sweep.run(words)
    arguments = Arguments()
    arguments.value("--cfg", "job, which is all there is: tlx train ... --cfg job")
    asked = arguments.take(words)
    if asked.cfg not in (None, "job"):
        raise ConfigError(
            [ConfigIssue("--cfg", "expected job, which is all there is: tlx train ... --cfg job", asked.cfg)]
        )
    trial = compose(asked.words)
    if asked.cfg is not None:
        print(as_yaml(trial), end="")
        return 0
    refuse_many_trials(trial)
    return _one(trial, Terminal())


def _one(trial: Trial, console: Console) -> int:
    from tlx.cli.progress import TrialProgress
    from tlx.runs.lock import Busy
    from tlx.runs.recover import recover
    from tlx.runs.result import incomplete
    from tlx.tracking.mlflow_sync import MLflowSync
    from tlx.training.locate import locate

    place = locate(trial)
    recover(place.path)
    finished = place.result()
    if finished is not None:
        console.print("already finished; nothing was trained", markup=False)
        return _show(finished.metrics, str(place.path), console)
    from tlx.runs.failure_reason import told, trouble
    from tlx.runs.signals import Stopped, stoppable
    from tlx.runs.stale_siblings import find_stale_siblings
    from tlx.tracking import event_log
    from tlx.training.machine import rank
    from tlx.training.runner import train

    def say(line: str) -> None:
        console.print(line, markup=False)

    if rank() > 0:
        with stoppable(lambda line: None):
            train(trial)
        return 0
    console.print(f"trial {place.name}  ({place.identity})", markup=False)
    if reason := incomplete(place.path):
        console.print(f"it was finished, but {reason}: it is run again", markup=False)
    for line in find_stale_siblings(trial, place):
        console.print(line, markup=False)
    try:
        with MLflowSync(trial.tracking) as mirror, stoppable(say), TrialProgress(console) as progress:
            mirror.watch(place.path)
            result = train(trial, say, progress=progress)
    except Stopped as stop:
        say(f"tlx: {stop}")
        return int(stop.code or 1)
    except SystemExit as stop:
        if stop.code == 1:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise
    except (RequestError, KeyboardInterrupt, Busy):
        raise
    except Exception as error:  # ours or a library's: the whole story, here and in the event log
        reason = trouble(error, place.path)
        if not reason:
            print(told(error), file=sys.stderr)
        there = bool(event_log.ended(place.path))
        record = f"its record is in {place.path}" if there else "it could leave no record of that"
        console.print(f"tlx: the trial failed{f' ({reason})' if reason else ''}; {record}", markup=False)
        return 1
    return _show(result.metrics, str(place.path), console)


def _show(metrics: dict[str, float | None], folder: str, console: Console) -> int:
    for name, value in metrics.items():
        console.print(f"  {name:<16} {'undefined' if value is None else f'{value:.4f}'}", markup=False)
    console.print(f"record: {folder}\npages:  tlx ui", markup=False)
    return 0
