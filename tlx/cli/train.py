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
from tlx.composition.compose import compose
from tlx.composition.multirun import is_sweep
from tlx.composition.rules import refuse_many_trials
from tlx.config.errors import ConfigError, ConfigIssue, RequestError
from tlx.config.schema import Trial, as_yaml
from tlx.reports.console import Terminal


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
    from tlx.orchestration import trial as trials
    from tlx.runs.lock import Busy
    from tlx.runs.signals import Stopped
    from tlx.training.locate import locate

    place = locate(trial)
    try:
        result = trials.run(trial, place, console, lambda line: console.print(line, markup=False))
    except (RequestError, KeyboardInterrupt, Busy):
        raise
    except Stopped as stop:
        console.print(f"tlx: {stop}", markup=False)
        return int(stop.code or 1)
    except Exception as error:  # ours or a library's: the whole story, here and in the event log
        from tlx.runs.failure_reason import told, trouble
        from tlx.tracking import event_log

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
