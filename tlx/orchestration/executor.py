"""Run trials in parallel, each in a clean process of its own; one that dies is one failed trial."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path

from tlx.files import foreign
from tlx.orchestration import batchable, worker
from tlx.orchestration.backends.processes import Backend, Process, Work
from tlx.orchestration.jobs import Job, Outcome
from tlx.tracking import event_log

_GRACE = 10  # seconds a process has to end in


class Unfinished(Exception):
    """A sweep was ended before all of its trials were run; the same command goes on."""


@dataclass
class _Running:
    """A process at work: on one job, or on several side by side."""

    jobs: list[Job]
    process: Process
    began: int  # ms
    held: list[int]  # slots
    overdue: bool = False  # asked to end, as its time is up


@dataclass
class Executor:
    """Runs jobs at a place. ``done`` hears each outcome and may answer with further jobs."""

    place: Backend
    done: Callable[[Outcome], Iterable[Job]]
    started: Callable[[Job], None] = lambda job: None
    tick: Callable[[], None] = lambda: None
    finished: set[str] = field(default_factory=set)  # identities with a result
    lost: set[str] = field(default_factory=set)  # identities that failed here
    timeout: float | None = None  # minutes a process may take
    over: Callable[[], str] = lambda: ""  # why the sweep is to end now; empty while it is not
    _waiting: list[Job] = field(default_factory=list)
    _running: dict[int, _Running] = field(default_factory=dict)
    _alike: Counter[str] = field(default_factory=Counter)  # jobs seen that read the same held-out examples
    _elsewhere: set[str] = field(default_factory=set)  # identities that another process was seen to run
    _began: int = 0  # ms

    def run(self, jobs: list[Job]) -> None:
        """Run all jobs and those they lead to. Ctrl-C stops the running ones and is passed on.

        Raises:
            Unfinished: The sweep is over before its jobs are; those that ran have saved their states.
        """
        self._waiting = list(jobs)
        self._began = time.time_ns() // 1_000_000
        self._alike.update(batchable.alike(job.trial) for job in jobs)
        try:
            while self._waiting or self._running:
                if reason := self.over():
                    left = len(self._waiting) + sum(len(one.jobs) for one in self._running.values())
                    raise Unfinished(f"{reason}; {left} trials are not finished, and the same command goes on")
                self._start_ready()
                self._collect()
        finally:
            self._stop_all()

    def _start_ready(self) -> None:
        for job in list(self._waiting):
            if job not in self._waiting:  # gone with another
                continue
            width = job.trial.hardware.devices or 1
            taken = {slot for running in self._running.values() for slot in running.held}
            free = [slot for slot in range(max(self.place.slots, width)) if slot not in taken]
            if self._running and len(free) < width:
                return
            if job.after & self.lost:
                self._waiting.remove(job)
                result = job.place.result() if job.kept else None  # then nobody has other weights than it began from
                self._end(Outcome(job, result, "" if result else "the trial it starts from failed", kept=bool(result)))
                continue
            if not job.after <= self.finished or self._is_elsewhere(job):
                continue
            jobs = [job, *self._beside(job)]
            for one in jobs:
                self._waiting.remove(one)
            for one in jobs:
                if not one.again:
                    self.started(one)
            held = free[:width]
            began = time.time_ns() // 1_000_000
            process = self.place.start(self._work(jobs), held)
            self._running[process.sentinel] = _Running(jobs, process, began, held)

    def _is_elsewhere(self, job: Job) -> bool:
        """Does another process run it now, or has it ended it meanwhile? Its result or failure is taken over."""
        identity = job.place.identity
        if job.place.is_busy():
            self._elsewhere.add(identity)
            return True
        result = job.place.result()
        reason = failure(job, self._began) if result is None and identity in self._elsewhere else ""
        if result is not None or reason:
            self._waiting.remove(job)
            kept = job.kept and result is not None and identity not in self._elsewhere
            self._elsewhere.discard(identity)
            self._end(Outcome(job, result, reason, elsewhere=not kept, kept=kept))
            return True
        self._elsewhere.discard(identity)
        return False

    def _work(self, jobs: list[Job]) -> Work:
        alike = self._alike[batchable.alike(jobs[0].trial)]
        return Work([job.trial for job in jobs], [job.place.path for job in jobs], alike, jobs[0].pruner)

    def _beside(self, job: Job) -> list[Job]:
        """Waiting jobs that can be trained side by side with this one."""
        key = None if job.alone else batchable.key(job.trial)
        if key is None:
            return []
        ready = (one for one in self._waiting if one is not job and not one.alone and one.after <= self.finished)
        alike = (one for one in ready if batchable.key(one.trial) == key)
        free = (one for one in alike if not one.place.is_busy() and one.place.result() is None)
        return list(islice(free, batchable.LIMIT - 1))

    def _collect(self) -> None:
        ready = wait(list(self._running), timeout=0.2)
        self.tick()
        self._end_overdue()
        for sentinel in ready:
            running = self._running.pop(sentinel)  # type: ignore[arg-type]
            running.process.join()
            code = running.process.exitcode
            if code == worker.APART:
                self._waiting[:0] = [replace(job, alone=True, again=True) for job in running.jobs]
                continue
            if code == worker.BUSY:  # another process was quicker with one of them
                self._waiting += running.jobs
                continue
            late = f"ended after {self.timeout:g} minutes (hydra.launcher.timeout)" if running.overdue else ""
            for job in running.jobs:
                self._end(_outcome(job, code, running.began, late))

    def _end(self, outcome: Outcome) -> None:
        (self.lost if outcome.result is None else self.finished).add(outcome.job.place.identity)
        further = list(self.done(outcome))
        self._waiting.extend(further)
        self._alike.update(batchable.alike(job.trial) for job in further)

    def _end_overdue(self) -> None:
        """Ask processes past their time to end, and make them after some more seconds."""
        if self.timeout is None:
            return
        for running in self._running.values():
            over = time.time() - running.began / 1000 - 60 * self.timeout
            if over > 0 and not running.overdue:
                running.overdue = True
                running.process.terminate()
            elif over > _GRACE:
                running.process.kill()

    def _stop_all(self) -> None:
        for running in self._running.values():
            running.process.terminate()
        deadline = time.monotonic() + 5
        for running in self._running.values():
            running.process.join(max(0.1, deadline - time.monotonic()))
            if running.process.is_alive():
                running.process.kill()
                running.process.join()
            for job in running.jobs:
                _close_log(job, "KILLED", "stopped with the sweep", running.began)
        self._running.clear()


def _outcome(job: Job, code: int | None, began: int, late: str) -> Outcome:
    result = job.place.result()
    if result is not None:
        return Outcome(job, result)
    reason = late or failure(job, began)
    if not reason and code is not None and code < 0:
        reason = f"killed by signal {-code}" + (" (out of memory?)" if code == -9 else "")
    if not reason and code == worker.REFUSED:
        reason = _refusal(job.place.path / worker.LOG)
    reason = reason or f"exit code {code}"
    _close_log(job, "KILLED" if code is not None and code < 0 else "FAILED", reason, began)
    return Outcome(job, None, reason)


def failure(job: Job, since: int = 0, statuses: Collection[str] = ("FAILED", "KILLED")) -> str:
    """Why a trial's last attempt ended without a result, if it did after ``since`` (ms) and said so."""
    last = event_log.last(job.place.path)
    if last.get("event") != "end" or last["time"] < since or last["status"] not in statuses:
        return ""
    return str(last["reason"])


def _refusal(log: Path) -> str:
    """The problems of a refused request, from the end of its log."""
    try:
        lines = foreign.read(log).decode(errors="replace").splitlines()
    except (FileNotFoundError, foreign.Unreadable):
        return "refused"
    start = max((i for i, line in enumerate(lines) if line.startswith("tlx: ")), default=0)
    return "; ".join(" ".join(line.split()) for line in lines[start + 1 :]) or "refused"


def _close_log(job: Job, status: str, reason: str, began: int) -> None:
    """Say how the attempt that began here ended, where it could not say so itself."""
    first, last = event_log.first(job.place.path), event_log.last(job.place.path)
    if first.get("time", 0) >= began and last.get("event", "end") != "end" and not job.place.is_busy():
        with suppress(OSError):  # no room to say so: the outcome has the reason
            event_log.EventLog(job.place.path).write("end", status=status, reason=reason)
