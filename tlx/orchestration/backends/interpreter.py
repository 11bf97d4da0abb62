"""A trial in an interpreter of its own, for several devices: Lightning starts their further processes from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tlx.config.schema import Trial
from tlx.orchestration import worker
from tlx.runs.folder import write_config
from tlx.runs.layout import CONFIG


class Interpreter:
    """A fresh interpreter with the face of a process: trials on several devices start their own children from it."""

    def __init__(self, folder: Path, trial: Trial, visible: str | None) -> None:
        """``visible``: the GPUs it may see, as ``CUDA_VISIBLE_DEVICES``; None: all there are."""
        log = worker.log(str(folder))
        write_config(folder, trial)
        command = [sys.executable, "-P", "-m", "tlx.training", str(folder / CONFIG)]
        environment = {**os.environ, "PYTHONSAFEPATH": "1"}  # for the processes that Lightning starts as well
        environment |= {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
        self.sentinel, ours = os.pipe()  # the child holds the other end: it closes when the child is gone
        self._process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, pass_fds=[ours]
        )
        os.close(ours)
        log.close()

    @property
    def exitcode(self) -> int | None:
        return self._process.poll()

    def join(self, timeout: float | None = None) -> None:
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return
        if self.sentinel >= 0:
            os.close(self.sentinel)
            self.sentinel = -1

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()
