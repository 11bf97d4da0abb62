"""What runs in the process of a trial, or of several that are trained side by side."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

from tlx.components.parts import parts
from tlx.config.errors import RequestError
from tlx.config.schema import Trial
from tlx.files import durable
from tlx.orchestration.pruning import Pruner

LOG = "log.txt"
REFUSED, BUSY, APART = 2, 3, 4
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def preload(trials: list[Trial]) -> list[str]:
    """The modules the server imports once for all: only libraries, nothing that starts threads or opens files."""
    modules = [
        "tlx.training.runner",
        "tlx.training.multi_head",
        "torchvision.transforms.v2",
        *(["sklearn.linear_model"] if any(p.solver == "logistic" for t in trials for p in t.strategy.phases) else []),
        "torch.distributed.tensor",  # whoever trains imports it, in a third of a second
        "torch.nested._internal.nested_tensor",
    ]
    own = {part.module for trial in trials for _, part in parts(trial)}  # plugins are imported by each trial itself
    return [*modules, *sorted(module for module in own if module.startswith("tlx."))]


def run(
    trials: list[Trial], folders: list[str], threads: int, num_readers: int = 1, pruner: Pruner | None = None
) -> int:
    """Train one trial, or several side by side, with the output of each in ``log.txt`` of its folder.

    ``num_readers``: trials of the sweep, these included, that freeze the same and read the same held-out examples.

    Returns what becomes the exit code: 0: finished (or recorded why not), 1: failed, ``REFUSED``, ``BUSY``, ``APART``:
    cannot be side by side.
    """
    gc.freeze()  # what was imported stays: looking through it again and again takes a third of a second
    import torch

    from tlx.runs.failure_reason import told
    from tlx.runs.lock import Busy

    streams = [log(folder) for folder in folders]
    os.dup2(streams[0].fileno(), sys.stdout.fileno())
    os.dup2(streams[0].fileno(), sys.stderr.fileno())
    torch.set_num_threads(threads)
    for trial in trials:
        if trial.hardware.threads is None:
            trial.hardware.threads = threads
    try:
        return _train(trials, num_readers, pruner, [partial(print, file=stream, flush=True) for stream in streams])
    except RequestError as error:
        print(error.block(), flush=True)
        return REFUSED
    except Busy as busy:
        print(f"tlx: {busy}", flush=True)
        return BUSY
    except BaseException as error:
        print(told(error), file=sys.stderr)
        return 1
    finally:
        sys.stdout.flush()


def refuse(folders: list[str], error: RequestError) -> int:
    """Say in the logs of trials why they could not begin; the exit code."""
    for folder in folders:
        with log(folder) as stream:
            print(error.block(), file=stream)
    return REFUSED


def log(folder: str) -> TextIO:
    """The log of a trial's folder, to be added to."""
    durable.make_folder(Path(folder))
    stream = durable.appending(Path(folder) / LOG)
    return io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _train(trials: list[Trial], num_readers: int, pruner: Pruner | None, says: list[Callable[[str], None]]) -> int:
    if len(trials) == 1:
        from tlx.training.runner import train

        train(trials[0], says[0], num_readers, pruner.watch if pruner is not None else None)
        return 0
    from tlx.feature_cache.entry import CorruptEntryError
    from tlx.training.head_trials import NotBatchable
    from tlx.training.multi_head import train_together

    try:
        train_together(trials, says)
    except (NotBatchable, CorruptEntryError) as reason:
        for say in says:
            say(f"not trained side by side: {reason}")
        return APART
    return 0
