"""A sweep's trials as tasks of a Ray cluster, each in a worker that serves no other (``pip install 'tlx[ray]'``).

The command stays and gives out the trials; where it ends, nothing new is begun, and the same command goes on. Run
folders, data and the reuse store are read and written where the trials run, so they have to be on storage that all
nodes share, with tlx installed on each.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tlx.config.errors import ConfigError, ConfigIssue, RequestError
from tlx.config.schema import Trial
from tlx.files import durable
from tlx.orchestration import worker
from tlx.orchestration.backends.interpreter import Interpreter
from tlx.orchestration.backends.launchers import Ray
from tlx.orchestration.backends.pickled import Pickled
from tlx.orchestration.backends.processes import Process, Work
from tlx.runs.folder import write_config
from tlx.runs.layout import CONFIG


def connect(options: Ray, trials: Sequence[Trial], console: Console) -> Cluster:
    """The running cluster, or one of this machine alone; says so where trials have to wait for what it has not.

    Raises :class:`ConfigError` where there is no Ray, or no cluster at the address.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise ConfigError([ConfigIssue("hydra/launcher", "needs Ray: pip install 'tlx[ray]'", "ray")]) from None
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        address = options.address or os.environ.get("RAY_ADDRESS")
        try:
            _knock(address or "")
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError) as error:  # ConnectionError is an OSError
            message = f"no cluster of Ray there ({str(error).splitlines()[0]}); 'local' starts one on this machine"
            raise ConfigError([ConfigIssue("hydra.launcher.address", message, address)]) from None
    has: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    asks = [resources(trial, options) for trial in trials]
    most = {name: max(ask.get(name, 0) for ask in asks) for name in {name for ask in asks for name in ask}}
    short = [f"{most[name]:g} {name} (it has {has.get(name, 0):g})" for name in most if most[name] > has.get(name, 0)]
    if short:
        console.print(f"trials wait until the cluster has {', '.join(sorted(short))}", markup=False)
    each = [has.get(name, 0) // asks[0][name] for name in asks[0] if asks[0][name]]
    devices = trials[0].hardware.devices or 1
    return Cluster(options, options.n_jobs or max(1, int(min(each)) * devices))


def _knock(address: str) -> None:
    """Raise ``OSError`` if nobody listens at host:port; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal() and len(port) < 6:
        socket.create_connection((host, int(port)), timeout=10).close()


def resources(trial: Trial, options: Ray) -> dict[str, float]:
    """What a trial takes of the cluster, by Ray's names."""
    devices = trial.hardware.devices or 1
    gpus = {"GPU": devices} if trial.hardware.accelerator == "gpu" else {}
    return {"CPU": options.cpus * devices, **gpus, **options.resources}


@dataclass
class Cluster:
    """See :class:`tlx.orchestration.backends.processes.Backend`; which node and GPU a trial gets is Ray's choice."""

    options: Ray
    slots: int

    def start(self, work: Work, held: Sequence[int]) -> Process:
        """Hand the work to Ray."""
        import ray

        for trial, folder in zip(work.trials, work.folders, strict=True):
            durable.make_folder(folder)
            write_config(folder, trial)
        asked = resources(work.trials[0], self.options)
        once = ray.remote(max_calls=1, max_retries=0)  # a CUDA context of one trial is never another's
        cpus, gpus = asked.pop("CPU"), asked.pop("GPU", 0)
        task = once(_task).options(name=work.folders[0].name, num_cpus=cpus, num_gpus=gpus, resources=asked)
        return _Task(task.remote(Pickled.of(work), work.folders, self.options.cpus), work.folders)


def _task(sent: Pickled[Work], folders: Sequence[Path], cpus: int) -> int:
    """On a node: the trial, as it would run anywhere; its exit code."""
    missing = next(
        (path for path in [sent.working_directory, *(f / CONFIG for f in folders)] if not path.exists()), None
    )
    if missing is not None:
        node = os.uname().nodename
        raise FileNotFoundError(f"{missing} is not on {node}: output has to be on storage that all nodes share")
    try:
        work = sent.open()
    except RequestError as error:
        return worker.refuse([str(folder) for folder in folders], error)
    if (work.trials[0].hardware.devices or 1) == 1:
        return worker.run(work.trials, [str(folder) for folder in work.folders], cpus, work.num_readers, work.pruner)
    process = Interpreter(work.folders[0], work.trials[0], None)
    try:
        process.join()
    finally:
        if process.is_alive():  # this task is cancelled
            process.terminate()
            process.join()
    return process.exitcode or 0


class _Task:
    """A task of Ray's with the face of a process."""

    def __init__(self, reference: Any, folders: list[Path]) -> None:
        self._reference = reference
        self._log = folders[0] / worker.LOG
        self.sentinel, end = os.pipe()
        self._future = reference.future()
        self._future.add_done_callback(lambda _: os.close(end))

    @property
    def exitcode(self) -> int | None:
        """A task whose process died counts as killed; what Ray says of one it could not run is in the log."""
        from ray import exceptions

        if not self._future.done():
            return None
        error = self._future.exception()
        if error is None:
            return int(self._future.result())
        if isinstance(error, exceptions.TaskCancelledError):
            return -signal.SIGTERM
        if isinstance(error, (exceptions.WorkerCrashedError, exceptions.OutOfMemoryError)):
            return -signal.SIGKILL
        cause = getattr(error, "cause", None) or error
        with worker.log(str(self._log.parent)) as file:
            print(f"tlx: Ray could not run it\n  {cause}", file=file)
        return worker.REFUSED

    def join(self, timeout: float | None = None) -> None:
        if wait([self._future], timeout).done and self.sentinel >= 0:
            os.close(self.sentinel)
            self.sentinel = -1

    def is_alive(self) -> bool:
        return not self._future.done()

    def terminate(self) -> None:
        self._cancel(force=False)

    def kill(self) -> None:
        self._cancel(force=True)

    def _cancel(self, force: bool) -> None:
        import ray

        ray.cancel(self._reference, force=force)
