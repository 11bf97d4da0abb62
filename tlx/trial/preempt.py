"""A trial that is told to make room: it saves its state after the round it is in, asks to be queued again, and ends.

Slurm says so by ``SIGUSR1`` some time before it ends a job. A round may take longer than that time, so an alarm asks
for the queue in any case; the trial then goes on from its last saved state. Nothing here imports torch: the signal
may come while that is being imported.
"""

from __future__ import annotations

import os
import signal
import subprocess
from types import FrameType

_SPARE = 20  # seconds before the end at which there is no more waiting for the round
_asked = False


class Preempted(SystemExit):
    """The trial has saved its state and is in the queue again."""

    def __str__(self) -> str:
        return "asked to make room; queued again"


def listen() -> None:
    """From now on a signal ends the process at once: there is nothing to save yet."""
    signal.signal(signal.SIGUSR1, _leave)


def training(warning: float) -> None:
    """From now on a signal is answered after the round, at the latest ``warning`` seconds less some after it came."""

    def ask(number: int, frame: FrameType | None) -> None:
        global _asked
        _asked = True
        signal.signal(signal.SIGALRM, _leave)
        signal.alarm(max(1, int(warning) - _SPARE))

    signal.signal(signal.SIGUSR1, ask)


def is_asked() -> bool:
    """Has this process been told to make room?"""
    return _asked


def give_way() -> None:
    """Queue the job again, by its first process, and end; raises :class:`Preempted`."""
    signal.alarm(0)
    _requeue()
    raise Preempted(0)


def _leave(number: int, frame: FrameType | None) -> None:
    _requeue()
    os._exit(0)


def _requeue() -> None:
    if os.environ.get("SLURM_PROCID", "0") != "0" or "SLURM_JOB_ID" not in os.environ:
        return
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array and task else os.environ["SLURM_JOB_ID"]
    print(f"tlx: asked to make room; job {job} is queued again", flush=True)
    subprocess.run(["scontrol", "requeue", job], check=False, timeout=30)
