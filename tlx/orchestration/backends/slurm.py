"""A sweep as arrays of Slurm jobs: one task per trial, or per group of trials that are trained side by side.

Nothing waits for them and nothing is pickled: a task reads the configuration in its trial's folder, and what is
finished is told by ``result.json``. Submitting again submits what is neither finished nor in the queue. The queue is
asked with ``squeue``; no accounting database is needed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, foreign
from tlx.orchestration import batchable
from tlx.orchestration.backends.launchers import Slurm
from tlx.orchestration.jobs import Job
from tlx.runs.folder import write_config

FOLDER, TASKS, SCRIPT, SUBMISSION = "slurm", "tasks.jsonl", "job.sbatch", "submission.json"
_NUMBER = re.compile("[1-9][0-9]{0,8}")  # of a submission
_PATIENCE = 20  # seconds: without a controller, Slurm's commands wait for minutes


def tasks(jobs: Iterable[Job]) -> list[list[Job]]:
    """Jobs by task: those that can be trained side by side share one."""
    groups: dict[str, list[Job]] = {}
    for number, job in enumerate(jobs):
        groups.setdefault(batchable.key(job.trial) or str(number), []).append(job)
    return [
        group[at : at + batchable.LIMIT] for group in groups.values() for at in range(0, len(group), batchable.LIMIT)
    ]


def script(name: str, folder: Path, jobs: Sequence[Sequence[Job]], options: Slurm) -> str:
    """The job script of tasks that want the same hardware; they are numbered from 0."""
    hardware = jobs[0][0].trial.hardware
    devices = hardware.devices or 1
    throttle = f"%{options.throttle}" if options.throttle is not None else ""
    asked = {
        "job-name": f"tlx-{name}",
        "array": f"0-{len(jobs) - 1}{throttle}",
        "nodes": hardware.nodes,
        "ntasks-per-node": devices,
        "cpus-per-task": options.cpus_per_task,
        "gpus-per-node": devices if hardware.accelerator == "gpu" else None,
        "partition": options.partition,
        "account": options.account,
        "qos": options.qos,
        "constraint": options.constraint,
        "time": options.time,
        "mem": options.mem,
        "signal": f"USR1@{options.warning}",  # to the steps, not to this script
        "chdir": Path.cwd(),
        "output": folder / "%a.txt",
        "open-mode": "append",
    }
    lines = [f"--{key}={shlex.quote(str(value))}" for key, value in asked.items() if value is not None]
    lines += ["--requeue" if options.requeue else "--no-requeue", *options.extra]
    command = shlex.join([sys.executable, "-P", "-m", "tlx.orchestration.backends.slurm_task", str(folder / TASKS)])
    head = ["#!/bin/bash", *(f"#SBATCH {line}" for line in lines), "set -e", *options.setup]
    return "\n".join([*head, f'exec srun {command} "$SLURM_ARRAY_TASK_ID" {options.warning}', ""])


def kinds(jobs: Sequence[Job]) -> list[list[list[Job]]]:
    """Tasks in groups that can be one array: the same nodes and devices, and nothing to wait for within."""

    def kind(task: list[Job]) -> str:
        hardware = task[0].trial.hardware
        return json.dumps([bool(task[0].after), hardware.nodes, hardware.devices, hardware.accelerator])

    return [list(group) for _, group in groupby(sorted(tasks(jobs), key=kind), kind)]


def submit(name: str, sweep: Path, jobs: Sequence[Job], options: Slurm) -> list[str]:
    """Submit jobs; returns Slurm's job numbers. Raises :class:`ConfigError` where Slurm refuses them."""
    queued = queue(sweep)
    sources = [state.partition("_")[0] for state in queued.values()]  # others may start from what these train
    submitted = []
    wanted = [job for job in jobs if job.place.path.name not in queued and not job.place.is_busy()]
    for group in kinds(wanted):
        folder = _new(sweep / FOLDER)
        for job in (job for task in group for job in task):
            durable.make_folder(job.place.path)
            write_config(job.place.path, job.trial)
        rows = [[str(job.place.path) for job in task] for task in group]
        durable.write(folder / TASKS, "".join(json.dumps(row) + "\n" for row in rows))
        durable.write(folder / SCRIPT, script(name, folder, group, options))
        waits = any(job.after for task in group for job in task)
        after = [f"--dependency=afterok:{':'.join(dict.fromkeys(sources))}"] if waits and sources else []
        number = _call(["sbatch", "--parsable", *after, str(folder / SCRIPT)]).strip().partition(";")[0]
        names = [[job.place.path.name for job in task] for task in group]
        durable.write(folder / SUBMISSION, json.dumps({"job": number, "tasks": names}))
        submitted.append(number)
        sources += [] if waits else [number]
    return submitted


def outputs(sweep: Path) -> dict[str, Path]:
    """Where Slurm put what the last task of each trial printed, by the names of the trials' folders."""
    found: dict[str, Path] = {}
    for file, submission in _submissions(sweep):
        for index, names in enumerate(submission["tasks"]):
            found |= dict.fromkeys(names, file.parent / f"{index}.txt")
    return found


def _submissions(sweep: Path) -> list[tuple[Path, dict[str, Any]]]:
    """What was submitted of a sweep, the last one last; a file that is not what was written is passed over."""
    found = []
    root = sweep / FOLDER
    names = os.listdir(root) if root.is_dir() and not root.is_symlink() else []
    for number in sorted(int(name) for name in names if _NUMBER.fullmatch(name)):
        file = root / str(number) / SUBMISSION
        with suppress(FileNotFoundError, foreign.Unreadable):
            one = foreign.json_file(file, dict[str, Any])
            if foreign.conforms(one.get("job"), str) and foreign.conforms(one.get("tasks"), list[list[str]]):
                found.append((file, one))
    return found


def queue(sweep: Path) -> Mapping[str, str]:
    """Trials of a sweep that are in Slurm's queue, waiting or running: folder name to ``123_4 PENDING``."""
    found = [one for _, one in _submissions(sweep)]
    if not found:
        return {}
    jobs = {one["job"]: one["tasks"] for one in found}
    states: dict[str, str] = {}
    for line in _call(["squeue", "--me", "--noheader", "--array", "--format=%F %K %T"]).splitlines():
        if len(words := line.split()) != 3:  # something else that squeue had to say
            continue
        job, index, state = words
        if job in jobs and index.isdecimal() and int(index) < len(jobs[job]):
            states |= dict.fromkeys(jobs[job][int(index)], f"{job}_{index} {state}")
    return states


def _call(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except FileNotFoundError:
        message = f"{command[0]} is not on this machine; run this where jobs are submitted, or use local"
        raise ConfigError([ConfigIssue("hydra/launcher", message, "slurm")]) from None
    except subprocess.TimeoutExpired:
        message = f"{command[0]} does not answer; is the cluster's controller up?"
        raise ConfigError([ConfigIssue("hydra/launcher", message, "slurm")]) from None
    if done.returncode:
        message = " ".join((done.stderr or done.stdout).split())
        raise ConfigError([ConfigIssue("hydra/launcher", f"{command[0]} refused: {message}", "slurm")])
    return done.stdout


def _new(root: Path) -> Path:
    """A folder with the next free number; two that submit at once get one each."""
    number = 1
    if root.is_symlink():
        raise ConfigError([ConfigIssue("output", "is a symbolic link, and tlx writes through none", root)])
    durable.make_folder(root)
    while True:
        folder = root / str(number)
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            continue
        return folder
