"""``hydra/launcher=local`` for any application of Hydra: each job in a clean interpreter of its own.

``tlx sweep`` does not need it, as it knows its trials. It is for other programs, whose jobs are functions: a Lightning
trainer that starts DDP processes re-runs its own interpreter's arguments, which here name one job and not the sweep.
Call :func:`register` before ``hydra.main``.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import cloudpickle
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from tlx.orchestration.backends.launchers import Local

_log = logging.getLogger(__name__)
_RANKS = ("LOCAL_RANK", "NODE_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # of what started this process
_PAUSE, _GRACE = 0.02, 10.0  # seconds between looks, and from asking a job to end to making it


_PACKAGE = "hydra_plugins"
_KNOWN_AS = f"{_PACKAGE}.tlx_local"  # Hydra takes plugins from this package alone


@dataclass
class LocalConf(Local):
    """The options of :class:`~tlx.orchestration.backends.launchers.Local`, as Hydra instantiates them."""

    _target_: str = f"{_KNOWN_AS}.LocalLauncher"


def register() -> None:
    """Make Hydra know the launcher (again is harmless)."""
    _stand_in()
    Plugins.instance().register(LocalLauncher)
    ConfigStore.instance().store(group="hydra/launcher", name="local", node=LocalConf, provider="tlx")


def _stand_in() -> None:
    """A module by which Hydra finds the launcher, without a folder at the top level of the installation."""
    try:
        package = import_module(_PACKAGE)  # of other plugins, if there are any
    except ModuleNotFoundError:
        package = ModuleType(_PACKAGE)
        package.__path__ = []
        sys.modules[_PACKAGE] = package
    module = sys.modules.setdefault(_KNOWN_AS, ModuleType(_KNOWN_AS))
    vars(module)["LocalLauncher"] = LocalLauncher
    vars(package)["tlx_local"] = module


class LocalLauncher(Launcher):
    """Runs ``n_jobs`` jobs at once. One that dies, or takes longer than ``timeout`` minutes, is one failed job."""

    __module__ = _KNOWN_AS

    def __init__(self, n_jobs: int | None = None, timeout: float | None = None) -> None:
        self.n_jobs = n_jobs or 1  # what a strange job needs is not known
        self.timeout = timeout
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None
        self.task_function: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's way of saying what is to be launched."""
        self.config, self.hydra_context, self.task_function = config, hydra_context, task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; returns how each ended, in their order."""
        assert self.config is not None
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        _log.info("Launching %d jobs, %d at once, each in its own process", len(job_overrides), self.n_jobs)
        with TemporaryDirectory(prefix="tlx-jobs-") as folder:  # readable by its owner alone
            waiting = [self._write(Path(folder), initial_job_idx + i, words) for i, words in enumerate(job_overrides)]
            running: list[_Job] = []
            jobs = list(waiting)
            try:
                while waiting or running:
                    while waiting and len(running) < self.n_jobs:
                        running.append(waiting.pop(0))
                        running[-1].start()
                    time.sleep(_PAUSE)
                    running = [job for job in running if not job.is_over(self.timeout)]
            finally:
                for job in running:
                    job.stop()
            return [job.outcome() for job in jobs]

    def _write(self, folder: Path, number: int, words: Sequence[str]) -> _Job:
        assert self.hydra_context is not None
        assert self.config is not None
        _log.info("\t#%d : %s", number, " ".join(filter_overrides(words)))
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(words))
        with open_dict(config):
            config.hydra.job.id = str(number)
            config.hydra.job.num = number
        file = folder / f"{number}.job"
        parts = (self.hydra_context, self.task_function, config, Singleton.get_state())
        file.write_bytes(cloudpickle.dumps(parts))
        return _Job(file, list(words))


@dataclass
class _Job:
    """One job: a file that says what to run, and the interpreter that runs it."""

    file: Path
    words: list[str]
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    late: bool = False

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _RANKS}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)  # what can be imported here
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tlx.orchestration.backends.job", str(self.file)], env=environment
        )
        self.began = time.monotonic()

    def is_over(self, minutes: float | None) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            return True
        over = time.monotonic() - self.began - 60 * minutes if minutes is not None else -1.0
        if over > 0 and not self.late:
            self.late = True
            self.process.terminate()
        elif over > _GRACE:
            self.process.kill()
        return False

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def outcome(self) -> JobReturn:
        """What the job left, or a failure that says how it ended."""
        result = self.file.with_suffix(".result")
        if result.is_file():
            found: Any = cloudpickle.loads(result.read_bytes())
            assert isinstance(found, JobReturn)
            return found
        code = self.process.returncode if self.process is not None else None
        how = (
            "took too long"
            if self.late
            else f"was killed by signal {-code}"
            if code and code < 0
            else f"exit code {code}"
        )
        failed = JobReturn(overrides=self.words, status=JobStatus.FAILED)
        failed.return_value = RuntimeError(f"job {self.file.stem} ended without a result: {how}")
        return failed
