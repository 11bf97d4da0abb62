"""What one failing call does: the n-th write, fsync, rename, open, mkdir, unlink or truncate of a command, each once.

A call that a library makes without libc (safetensors renames so, once for each checkpoint) is not struck.
n goes from 1 until a run ends without having come that far. The run that is struck either survives (exit code 0, all as
in a calm run) or is explained (refused, or failed with a reason that names the fault); nothing wrong is ever recorded.
The same command, run again without a fault, ends as the calm run. A fault in the cache alone never ends a trial.

A sitting ends at its limit, and the next one goes on: what is judged is a line of ``io.jsonl``.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_cases import APART
from shim import EVER_AFTER, ONCE, SHORT
from verdict import TRACEBACK, Bench, differences, judge, latest, show, source

LINES = "io.jsonl"
VERDICTS = ("survived", "explained", "lost", "traceback")
BAD = VERDICTS[2:]


@dataclass(frozen=True)
class Fault:
    """Which call fails, how, and how often."""

    call: str
    number: int
    how: int = ONCE

    def __str__(self) -> str:
        more = {ONCE: "", EVER_AFTER: " from there on", SHORT: " from its half on"}[self.how]
        return f"{self.call} {errno.errorcode[self.number]}{more}"


FAULTS = [
    *(Fault("mkdir", number) for number in (errno.ENOSPC, errno.EIO, errno.EACCES)),
    *(Fault("rename", number) for number in (errno.ENOSPC, errno.EIO, errno.EACCES)),
    *(Fault("unlink", number) for number in (errno.EIO, errno.EACCES)),
    *(Fault("open", number) for number in (errno.ENOSPC, errno.EIO, errno.EACCES)),
    *(Fault("truncate", number) for number in (errno.EIO,)),
    *(Fault("fsync", number) for number in (errno.ENOSPC, errno.EIO)),
    Fault("fsync", errno.EIO, EVER_AFTER),
    *(Fault("write", number) for number in (errno.ENOSPC, errno.EIO)),
    Fault("write", errno.ENOSPC, SHORT),  # what a full disk does
]
_LEFT = re.compile(r"names( of trial [0-9]+)?: 0 missing \[\], [0-9]+ more \[('\.[^']+\.partial'(, )?)+\]")


class Strikes:
    """One mode: its calm run, and every fault it is struck with."""

    def __init__(self, root: Path, mode: str, library: Path) -> None:
        self.lines = root / LINES
        self.mode = mode
        self.bench = Bench(root, "io", mode, library)
        self.bench.clear()
        self.bench.root.mkdir(parents=True)
        code, log = self.bench.run()
        self.calm = self.bench.look()
        if code != 0:
            raise SystemExit(f"{mode} does not train: {log[-500:]}")
        self.bench.warm()

    def rows(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """What was judged of this mode, by fault and count."""
        return latest(self.lines, ["fault", "at"], {"mode": self.mode})

    def sit(self, seconds: float, bad: bool = False) -> None:
        """Strike what was not struck yet, for so long; or once more what went wrong."""
        deadline = time.monotonic() + seconds
        rows = self.rows()
        wrong = {case for case, row in rows.items() if row["verdict"] in BAD}
        over = {fault for (fault, _), row in rows.items() if row["verdict"] == "not reached"}
        left = [fault for fault in FAULTS if bad or str(fault) not in over]
        for at in itertools.count(1):  # a sitting that is cut short has seen every kind
            for fault in list(left):
                case = str(fault), at
                if case not in wrong if bad else case in rows:
                    continue
                if time.monotonic() >= deadline:
                    return
                if not self._strike(fault, at):
                    left.remove(fault)
            if not left or (bad and at >= max((n for _, n in wrong), default=0)):
                return

    def _strike(self, fault: Fault, at: int) -> bool:
        """One case; was the fault reached?"""
        bench = self.bench
        bench.clear()
        bench.root.mkdir(parents=True)
        began = time.monotonic()
        code, log = bench.run(call=fault.call, errno=fault.number, how=fault.how, at=at)
        hit = bench.shim.struck()
        if hit is None:
            verdict, why = "not reached", ""
        else:
            said = bench.said(log)
            verdict, why = self._judge(fault, code, said, hit)
            code, log = bench.run()
            then, reason = judge(self.calm, bench.look(), code, bench.said(log), said if code == 0 else "")
            if then != "same":
                verdict = "traceback" if then == "traceback" else "lost"
                why = f"{why}; then, run again: {then}: {reason}"
        row = {"mode": self.mode, "fault": str(fault), "at": at, "verdict": verdict, "why": why}
        row |= {"where": (hit or "").replace(f"{bench.root}/", ""), "source": source()}
        row |= {"seconds": round(time.monotonic() - began, 2)}
        with self.lines.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        return hit is not None

    def _judge(self, fault: Fault, code: int | None, said: str, hit: str) -> tuple[str, str]:
        """Of the run that was struck."""
        found = self.bench.look()
        wrong = [
            f"a result that is not that of the calm run ({key})"
            for wanted, row in zip(self.calm, found, strict=True)
            for key in ("result", "facts")
            if row["result"] and row.get(key) != wanted.get(key)
        ]
        last = ([line for line in said.splitlines() if line.strip()] or [""])[-1][:300]
        if wrong or code is None or code < 0:
            return "lost", wrong[0] if wrong else f"exit {code}"
        if code == 0:
            # what could not be removed is removed by the next command, which is judged as well
            unlike = [line for line in differences(self.calm, found) if not _LEFT.fullmatch(line)]
            if unlike:
                return "lost", f"exit 0, but {'; '.join(unlike)[:400]}"
            return ("traceback", last) if TRACEBACK in said else ("survived", "")
        inside = Path(hit).relative_to(self.bench.root).parts[:1]
        if code == APART:  # a sweep runs them one by one then
            return "explained", last
        if fault.how == ONCE and inside and inside[0] != self.bench.case.output.name:
            return "lost", f"a fault in the cache ended the trial: {last}"
        clear = os.strerror(fault.number).lower() in said.lower().rpartition("reason: ")[2]
        if code == 2 or clear:
            return "explained", last
        return "traceback", last


def report(root: Path, modes: list[str]) -> bool:
    """Print a table, and every bad case; is there none?"""
    rows = [row for mode in modes for row in latest(root / LINES, ["fault", "at"], {"mode": mode}).values()]
    print("| fault | cases | " + " | ".join(VERDICTS) + " | modes done |\n" + "|---" * (len(VERDICTS) + 3) + "|")
    for fault in [*map(str, FAULTS), "all"]:
        of_it = [row for row in rows if fault in (row["fault"], "all")]
        count = Counter(row["verdict"] for row in of_it)
        done = count.pop("not reached", 0)
        cells = [fault, sum(count.values()), *(count[name] for name in VERDICTS)]
        print("| " + " | ".join(map(str, cells)) + f" | {done}/{len(modes) * (len(FAULTS) if fault == 'all' else 1)} |")
    bad = [row for row in rows if row["verdict"] in BAD]
    show(bad)
    return not bad


def strike(root: Path, modes: list[str], library: Path, limit: float, anew: bool = False, bad: bool = False) -> bool:
    """One sitting over these modes; is nothing lost so far?"""
    left, lines = limit, root / LINES
    if anew and lines.is_file():
        lines.write_text("".join(line for line in lines.open() if json.loads(line)["mode"] not in modes))
    for number, mode in enumerate(modes):
        strikes = Strikes(root, mode, library)
        began = time.monotonic()
        strikes.sit(left / (len(modes) - number), bad)
        left -= time.monotonic() - began
    return report(root, modes)
