"""A trial that is told to stop: it saves its state after the round it is in, and ends.

Slurm says so by ``SIGUSR1`` some time before it ends a job; the trial asks to be queued again. A round may take longer
than that time, so an alarm asks for the queue in any case; the trial then goes on from its last saved state. A person
says so by Ctrl-C or ``kill``, and says it again to have it end at once. Nothing here imports torch: a signal may come
while that is being imported.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SPARE = 20  # seconds before the end at which there is no more waiting for the round
_PATIENCE = 15  # seconds for a controller of Slurm's that is away, as one that is just being started again
_BY_A_PERSON = (signal.SIGINT, signal.SIGTERM)
_asked = 0  # the signal
_saves = False  # is there a round, after which the state can be saved?
_answer: Callable[[int, FrameType | None], None] | None = None  # to a person's signal


class Preempted(SystemExit):
    """The trial has saved its state and is in the queue again."""

    def __str__(self) -> str:
        return "asked to make room; queued again"


class Stopped(SystemExit):
    """The trial has saved its state, as a person asked it to stop."""

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(_asked).name}, its state saved; the same command goes on from it"


def listen() -> None:
    """From now on a signal ends the process at once: there is nothing to save yet."""
    signal.signal(signal.SIGUSR1, _leave)


def training(warning: float) -> None:
    """From now on a signal is answered after the round, at the latest ``warning`` seconds less some after it came."""

    def ask(number: int, frame: FrameType | None) -> None:
        global _asked
        _asked = number
        signal.signal(signal.SIGALRM, _leave)
        signal.alarm(max(1, int(warning) - _SPARE))

    signal.signal(signal.SIGUSR1, ask)


@contextmanager
def stoppable(say: Callable[[str], None]) -> Iterator[None]:
    """Within: Ctrl-C and SIGTERM are answered after the round, a second one at once.

    Signals are the main thread's: in any other one they stay as they are.
    """
    global _asked, _answer
    if not _is_main_thread():
        yield
        return
    _asked = 0  # what was asked of an earlier trial of this process
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in _BY_A_PERSON}

    def ask(number: int, frame: FrameType | None) -> None:
        global _asked, _answer
        _answer = None
        for one, handler in before.items():
            signal.signal(one, handler)
        if not _saves:
            signal.raise_signal(number)
            return
        _asked = number
        say("stopping after this round, with the state saved; once more leaves at once")

    _answer = ask
    reclaim()
    try:
        yield
    finally:
        _answer = None
        for number, handler in before.items():
            signal.signal(number, handler)


def reclaim() -> None:
    """Answer a person's signals again: each fit of Lightning's puts a handler of its own before ours for SIGTERM."""
    if _answer is not None and _is_main_thread():
        for number in _BY_A_PERSON:
            signal.signal(number, _answer)


@contextmanager
def rounds() -> Iterator[None]:
    """Within: the trial looks after each round whether it was asked to stop."""
    global _saves
    _saves = True
    try:
        yield
    finally:
        _saves = False


def is_asked() -> bool:
    """Has this process been told to stop?"""
    return _asked != 0


def requeue_and_exit() -> None:
    """End: raises :class:`Stopped` where a person asked, else queues the job again and raises :class:`Preempted`."""
    if _asked in _BY_A_PERSON:
        raise Stopped(128 + _asked)
    signal.alarm(0)
    _requeue()
    raise Preempted(0)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _leave(number: int, frame: FrameType | None) -> None:
    _requeue()
    os._exit(0)


def _requeue() -> None:
    if os.environ.get("SLURM_PROCID", "0") != "0" or "SLURM_JOB_ID" not in os.environ:
        return
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array and task else os.environ["SLURM_JOB_ID"]
    deadline = time.monotonic() + _PATIENCE
    while reason := _refused(job):
        if time.monotonic() > deadline:
            print(f"tlx: asked to make room, but not queued again ({reason}); submit the sweep again", flush=True)
            return
        time.sleep(1)
    print(f"tlx: asked to make room; job {job} is queued again", flush=True)


def _refused(job: str) -> str:
    """Ask Slurm to queue a job again; why it does not, empty where it does."""
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return (done.stderr.strip() or f"scontrol ended with {done.returncode}") if done.returncode else ""
