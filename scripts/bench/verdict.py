"""A case at one fixed place, run with or without the library that sees its calls, and what is made of how it ended."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import xxhash
from fault_cases import SHORT, SHORTEST, Case
from safetensors import safe_open
from shim import VARIABLE, Shim

import tlx
from tlx.orchestration import worker
from tlx.orchestration.backends import processes
from tlx.orchestration.sweep import job
from tlx.orchestration.sweep_record import folder_of
from tlx.runs import folder as folders
from tlx.runs import layout, manifest
from tlx.runs import result as results
from tlx.tracking import event_log

TRACEBACK = "Traceback (most recent call last)"
_ATTEMPT = re.compile(r"events\.\d+\.jsonl|log\.txt")  # what an earlier attempt may leave for good


class Bench:
    """One mode's trial, or trials, with everything they write below one folder, always the same."""

    def __init__(self, root: Path, kind: str, mode: str, library: Path) -> None:
        self.mode = mode
        self.folder = root / kind / mode.replace(" ", "-")
        self.root = self.folder / "case"
        self.log = self.folder / "log"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.shim = Shim(library, self.folder / "shim.state")
        os.environ["TLX_CACHE"] = str(self.root / "cache")
        self.case = Case(self.root, mode, "run", SHORTEST if kind == "io" else SHORT)
        for name in worker.preload(self.case.trials):  # else every case would
            import_module(name)

    def clear(self) -> None:
        """Begin with nothing."""
        shutil.rmtree(self.root, ignore_errors=True)

    def warm(self) -> None:
        """Have a sweep's processes come from one server from here on."""
        if self.mode == "sweep":
            processes.start_forkserver(self.case.trials)
            self.case.is_warm = True

    def run(self, patience: float = 120, **made: Any) -> tuple[int | None, str]:
        """The command in a forked process: its exit code, null if it hangs, and what it said on stderr.

        The library in it traces or fails what :meth:`~shim.Shim.make` is told.
        """
        self.shim.make(self.root, **made)

        def harm() -> None:
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 2)
            gc.freeze()  # what was imported stays: a process that looks through all of it copies it
            self.shim.arm()

        code = self.case.run(harm, patience)
        return code, self.log.read_text(encoding="utf-8", errors="replace")

    def real(self, patience: float = 300) -> tuple[int | None, str]:
        """The command itself, as a person gives it."""
        hidden = ("LD_PRELOAD", VARIABLE)
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        words = [sys.executable, "-m", "tlx", *self.case.command]
        with self.log.open("wb") as log:
            try:
                where, quiet = self.folder, subprocess.DEVNULL
                done = subprocess.run(words, cwd=where, env=environment, stdout=quiet, stderr=log, timeout=patience)
            except subprocess.TimeoutExpired:
                return None, ""
        return done.returncode, self.log.read_text(encoding="utf-8", errors="replace")

    def look(self) -> list[dict[str, Any]]:
        """Everything that has to come out the same, of each trial and of the sweep, as plain values."""
        found = [{**row, **_look(place)} for row, place in zip(self.case.outcome(), self.case.places, strict=True)]
        if self.mode == "sweep":
            found.append(_look_at_sweep(folder_of("sweep", [job(trial) for trial in self.case.trials])))
        plain: list[dict[str, Any]] = json.loads(json.dumps(found, default=str))
        return plain

    def said(self, log: str) -> str:
        """What was said on stderr, and in the logs of a sweep's trials."""
        logs = [place / worker.LOG for place in self.case.places]
        return log + "".join(path.read_text(encoding="utf-8", errors="replace") for path in logs if path.is_file())


def _look(place: Path) -> dict[str, Any]:
    result, rows = results.result_in(place), list(event_log.read(place))
    names = {path.name for path in place.glob("*") if not _ATTEMPT.fullmatch(path.name)}
    return {
        "facts": _facts(result) if result is not None else None,
        "ended": rows[-1].get("status") if rows else None,
        "names": sorted(names),
        "config": _digest(place / layout.CONFIG),
        "schedule": _digest(place / layout.SCHEDULE),
        "hollow": _hollow(place) if result is not None else [],
    }


def _facts(result: results.Result) -> dict[str, Any]:
    """A result without what is another in each run: times, and the length of the record of its surroundings."""
    files = {name: size for name, size in result.files.items() if name != manifest.FILE}
    return {**vars(result), "cpu_seconds": 0, "wall_seconds": 0, "files": files}


def _hollow(place: Path) -> list[str]:
    """The files of a finished trial that are not there, or say nothing."""

    def opens() -> bool:
        with safe_open(place / layout.CHECKPOINT, framework="pt") as file:
            return bool(file.metadata())

    tests: dict[str, Callable[[], Any]] = {
        layout.CONFIG: lambda: folders.read_config(place),
        layout.CHECKPOINT: opens,
        layout.PREDICTIONS: lambda: list(map(json.loads, (place / layout.PREDICTIONS).open(encoding="utf-8"))),
        layout.SCHEDULE: lambda: fromstring((place / layout.SCHEDULE).read_text(encoding="utf-8")).tag,
        manifest.FILE: lambda: manifest.read(place)["results"],
    }
    found = []
    for name, test in tests.items():
        try:
            fine = bool(test())
        except Exception:  # whatever it is, a reader has it too
            fine = False
        found += [] if fine else [name]
    return found


def _look_at_sweep(folder: Path) -> dict[str, Any]:
    rows = list(event_log.read(folder))
    names = sorted(path.name for path in folder.glob("*") if not _ATTEMPT.fullmatch(path.name))
    ended = rows[-1].get("status") if rows else None
    return {"result": True, "ended": ended, "members": sorted(set(event_log.members(folder))), "names": names}


def _digest(path: Path) -> str | None:
    return f"{path.stat().st_size} bytes {xxhash.xxh3_64_hexdigest(path.read_bytes())}" if path.is_file() else None


def differences(calm: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    """What is not as it is in a calm run, in words."""
    said = []
    for number, (wanted, got) in enumerate(zip(calm, found, strict=True)):
        for key in wanted:
            if wanted[key] != got[key]:
                mark = f" of trial {number}" if len(calm) > 1 else ""
                said.append(f"{key}{mark}: {_briefly(wanted[key], got[key])}")
    return said


def _briefly(wanted: Any, got: Any) -> str:
    if isinstance(wanted, list) and isinstance(got, list):
        gone, more = ([x for x in a if x not in b] for a, b in ((wanted, got), (got, wanted)))
        return f"{len(gone)} missing {str(gone)[:160]}, {len(more)} more {str(more)[:160]}"
    if isinstance(wanted, dict) and isinstance(got, dict):
        return f"other {sorted(key for key in {*wanted, *got} if wanted.get(key) != got.get(key))}"
    return f"{str(got)[:120]} instead of {str(wanted)[:120]}"


def judge(
    calm: list[dict[str, Any]], found: list[dict[str, Any]], code: int | None, said: str, before: str = ""
) -> tuple[str, str]:
    """``same``, ``lost``, ``gutted`` (finished, but its files are not) or ``traceback``; and why.

    A finished trial with the bits of the calm one loads as that did, so that nothing is loaded here.
    """
    if said.count(TRACEBACK) > before.count(TRACEBACK):
        lines = said.rpartition(TRACEBACK)[2].splitlines()[1:]
        return "traceback", next((line for line in lines if line.strip() and not line.startswith(" ")), "")[:300]
    unlike = differences(calm, found)
    if any(row.get("hollow") for row in found):
        return "gutted", "; ".join(unlike)[:600]
    if code is None:
        return "lost", "it hangs"
    if code:
        return "lost", f"exit {code}: {' '.join(said.split())[-300:]}"
    return ("lost", "; ".join(unlike)[:600]) if unlike else ("same", "")


def alike(why: str) -> str:
    """A reason without what is another one in each case: most that go wrong do so for few reasons."""
    why = why.rpartition("; then, run again: ")[2]
    why = re.sub(r"/[^ ':]*/", "", why)
    why = re.sub(r"\.tmp\w+", ".tmp*", why)
    return re.sub(r"\b[0-9a-f]{8,}\b|\d+ bytes", "*", why)[:160]


def latest(lines: Path, keys: Sequence[str], wanted: Mapping[str, Any]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The last line about each case, of those that say what is wanted."""
    every = map(json.loads, lines.open()) if lines.is_file() else iter(())
    rows = (row for row in every if all(row[name] == value for name, value in wanted.items()))
    return {tuple(row[key] for key in keys): row for row in rows}


def show(bad: Sequence[Mapping[str, Any]]) -> None:
    """Print every bad case, and then how many there are of each kind."""
    for row in bad:
        print(f"{row['verdict']}:", json.dumps({key: row[key] for key in row if key not in ("verdict", "trace")}))
    for (verdict, why), often in Counter((row["verdict"], alike(row["why"])) for row in bad).most_common():
        print(f"{often} x {verdict}: {why}")


def source() -> str:
    """A hash of the program that is judged."""
    files = sorted(Path(tlx.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
