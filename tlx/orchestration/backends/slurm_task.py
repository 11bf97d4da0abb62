"""One task of a Slurm array: a trial, or several side by side.

``python -m tlx.orchestration.backends.slurm_task TASKS NUMBER WARNING``:
TASKS holds a line per task, a list of trials' folders; the signal comes WARNING seconds before the end. Exit code
0: finished, now or before, or being run by another process; 1: failed; 2: refused. The output of each trial is in
``log.txt`` of its folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tlx.runs import signals

_SERVERS = ("http://", "https://", "postgresql", "mysql", "mssql")  # stores that many hosts can write to


def main(arguments: list[str]) -> int:
    """Run the task."""
    signals.listen()  # before anything is imported that takes its time
    if len(arguments) != 3:
        print("usage: python -m tlx.orchestration.backends.slurm_task TASKS NUMBER WARNING", file=sys.stderr)
        return 2
    file, number, warning = Path(arguments[0]), int(arguments[1]), float(arguments[2])
    rows = file.read_text(encoding="utf-8").splitlines()
    return run([Path(name) for name in json.loads(rows[number])], file.parents[2], warning)


def run(folders: list[Path], sweep: Path, warning: float) -> int:
    """Train the trials whose configurations are in these folders; the exit code."""
    from tlx.config.errors import RequestError
    from tlx.feature_cache.entry import CorruptEntryError
    from tlx.orchestration.worker import log
    from tlx.runs.folder import read_config
    from tlx.tracking import store
    from tlx.tracking.mlflow_sync import MLflowSync
    from tlx.training.head_trials import NotBatchable
    from tlx.training.machine import rank
    from tlx.training.multi_head import train_together

    trials = [read_config(folder) for folder in folders]
    first = rank() == 0  # the others say what they have to say to Slurm's own output
    says: list[Callable[[str], None]] = [
        partial(print, file=log(str(folder)) if first else None, flush=True) for folder in folders
    ]
    tracking = trials[0].tracking
    mirrors = tracking.kind == "mlflow" and first and store.uri(tracking).startswith(_SERVERS)
    with MLflowSync(tracking if mirrors else type(tracking)(kind="none")) as mirror:
        for folder in folders:
            mirror.watch(folder, sweep)
        if len(trials) > 1:
            try:
                train_together(trials, says)
            except (NotBatchable, CorruptEntryError, RequestError) as reason:  # told trial by trial below
                for say in says:
                    say(f"not trained side by side: {reason}")
        signals.training(warning)
        return max(_one(trial, say) for trial, say in zip(trials, says, strict=True))


def _one(trial: object, say: Callable[[str], None]) -> int:
    from tlx.config.errors import RequestError
    from tlx.config.schema import Trial
    from tlx.runs.failure_reason import told
    from tlx.runs.lock import Busy
    from tlx.training.runner import train

    assert isinstance(trial, Trial)
    try:
        train(trial, say)
    except RequestError as error:
        say(error.block())
        return 2
    except Busy as busy:
        say(f"tlx: {busy}")
    except Exception as error:
        say(told(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
