"""The processes of a sweep's trials: where they are started, and what the pool asks of one that runs."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType
from typing import Protocol

from tlx.config.errors import RequestError
from tlx.config.machine import cores, gpus
from tlx.config.schema import Trial
from tlx.orchestration import worker
from tlx.orchestration.backends.interpreter import Interpreter
from tlx.orchestration.backends.pickled import Pickled
from tlx.orchestration.pruning import Pruner


@dataclass
class Work:
    """What one process does: a trial, or several side by side, each in its folder."""

    trials: list[Trial]
    folders: list[Path]
    num_readers: int = 1  # trials of the sweep that freeze the same and read the same held-out examples
    pruner: Pruner | None = None


class Process(Protocol):
    """A process at work; ``sentinel`` becomes readable when it has ended."""

    @property
    def sentinel(self) -> int: ...
    @property
    def exitcode(self) -> int | None: ...
    def join(self, timeout: float | None = None) -> None: ...
    def is_alive(self) -> bool: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Backend(Protocol):
    """Where processes run, ``slots`` devices at a time."""

    @property
    def slots(self) -> int: ...
    def start(self, work: Work, held: Sequence[int]) -> Process:
        """Begin on these slots, one per device of the trial."""
        ...


@dataclass
class LocalBackend:
    """This machine: processes forked from a warm server; fresh interpreters for trials on several devices."""

    n_jobs: int | None = None

    @property
    def slots(self) -> int:
        """One trial per GPU where there are any, else one per core."""
        return self.n_jobs or gpus() or cores()

    def start(self, work: Work, held: Sequence[int]) -> Process:
        """See :class:`Backend`."""
        visible = visible_gpus(held)
        start_forkserver(work.trials)
        if len(held) > 1:
            return Interpreter(work.folders[0], work.trials[0], visible)
        folders = [str(folder) for folder in work.folders]
        process = TrialProcess(target=_forked, args=(Pickled.of(work), folders, visible), name=folders[0])
        process.start()
        return process


class TrialProcess(ForkServerProcess):
    """A process of the warm server that does not run the program again which started it.

    ``multiprocessing`` has each new process run the program's script once more, for what is defined there; a script
    that begins a sweep without ``if __name__ == "__main__":`` would begin it there again. Trials need nothing of it.
    """

    _lock = threading.Lock()

    def start(self) -> None:
        """Begin, with a module in place of the program's own while it is written down what the process is to import."""
        with self._lock:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                super().start()
            finally:
                sys.modules["__main__"] = main


def _forked(sent: Pickled[Work], folders: list[str], visible: str | None) -> None:
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible  # read when CUDA starts, which no forked server has done
    try:
        work = sent.open()
    except RequestError as error:
        os._exit(worker.refuse(folders, error))
    code = worker.run(work.trials, folders, 1, work.num_readers, work.pruner)
    os._exit(code)  # everything is on disk; taking torch apart again takes longer than a small trial


def start_forkserver(trials: list[Trial]) -> None:
    """Start the server that imports everything these trials need; it goes on by itself. Again is harmless."""
    names = (*worker.THREADS, "PYTHONSAFEPATH")  # the last: no module is taken from the working directory
    before = {name: os.environ.get(name) for name in names}
    os.environ |= dict.fromkeys(names, "1")  # read by the server, and by the libraries it imports
    multiprocessing.get_context("forkserver").set_forkserver_preload(worker.preload(trials))
    forkserver.ensure_running()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def visible_gpus(held: Sequence[int]) -> str | None:
    """``CUDA_VISIBLE_DEVICES`` for a trial on these slots; None on a machine without GPUs."""
    if not gpus():
        return None
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    devices = [word for word in named.split(",") if word.strip()] or [str(i) for i in range(gpus())]
    return ",".join(dict.fromkeys(devices[slot % len(devices)] for slot in held))
