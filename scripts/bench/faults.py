"""What survives what: trials that are killed, starved of disk, and damaged at random moments, and then run again.

``python scripts/bench/faults.py FOLDER [--kills 200] [--jobs 2] [--seed 0]`` prints one table: fault x moment, with how
many trials survived. Survived means: the same command, run again, ends with the weights, predictions, result and metric
rows of a trial that was left alone, bit for bit; or, where a file was altered after the end, that it is told.

Trials are small (a narrow ResNet on digits, a byte BERT on docstrings), in processes forked from one that has imported
everything. A moment is where the trial was when the fault struck, as its own code says. Exits with 1 if any was lost.

Two long matrices take no chances; each sitting of ``--limit`` seconds goes on where the last one ended:

``... FOLDER --power [--modes fine_tune] [--limit 600] [--real 20]``: every state a power cut may leave (power.py)
``... FOLDER --io [--modes fine_tune] [--limit 600]``: every single call that may fail (io_faults.py)
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from fault_cases import MODES, MOMENTS, MORE, Case, kill
from io_faults import strike
from place import claimed, emptied
from power import power
from shim import preload

from tlx.config.errors import RequestError
from tlx.runs import layout
from tlx.tracking import event_log
from tlx.training import resume
from tlx.training.build import rebuilt


def alone(root: Path, mode: str) -> tuple[list[Any], int]:
    """What comes out of a trial that is left alone, and how many events it has."""
    case = Case(root, mode, f"calm-{mode.replace(' ', '-')}-{os.getpid()}")
    if case.run() != 0:
        raise SystemExit(f"{mode} does not train")
    found = case.outcome()
    case.remove()
    return found, case.events.value


def fill_disk(room: random.Random) -> Callable[[], None]:
    """Writes fail for want of space from a random one on, event logs and states and results alike."""
    left = room.randrange(25)

    def harm() -> None:
        whole = os.fsync

        def fsync(number: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(28, "No space left on device")
            whole(number)

        os.fsync = fsync

    return harm


def shift_clock(room: random.Random) -> Callable[[], None]:
    """The wall clock jumps an hour or more, either way, at every look."""

    def harm() -> None:
        whole, wall = time.time_ns, time.time
        time.time_ns = lambda: whole() + room.randrange(-(10**13), 10**13)
        time.time = lambda: wall() + room.randrange(-(10**4), 10**4)

    return harm


def damage(path: Path, room: random.Random) -> str:
    """Cut a file short, or alter some of its bytes."""
    written = bytearray(path.read_bytes())
    if room.random() < 0.5:
        del written[room.randrange(len(written)) :]
        how = "cut short"
    else:
        where = room.randrange(len(written))
        for place in range(where, min(where + 64, len(written))):
            written[place] ^= room.randrange(1, 256)
        how = "altered"
    path.write_bytes(written)
    return how


class Driver:
    """Runs cases, and keeps a line for each."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.room = random.Random(seed)
        self.lines = root / f"lines-{seed}.jsonl"
        self.calm: dict[str, tuple[list[Any], int]] = {}

    def expected(self, mode: str) -> tuple[list[Any], int]:
        if mode not in self.calm:
            self.calm[mode] = alone(self.root, mode)
        return self.calm[mode]

    def say(self, fault: str, mode: str, moment: str, fine: bool, why: str = "") -> None:
        with self.lines.open("a") as stream:
            row = {"fault": fault, "mode": mode, "moment": moment, "survived": fine, "why": why}
            stream.write(json.dumps(row) + "\n")

    def judge(self, case: Case, fault: str, moment: str) -> None:
        """Run the case once more, to its end, and compare."""
        code = case.run()
        wanted, found = self.expected(case.mode)[0], case.outcome()
        unlike = [key for a, b in zip(wanted, found, strict=True) for key in a if a[key] != b[key]]
        self.say(fault, case.mode, moment, code == 0 and not unlike, f"exit {code}, unlike: {unlike}")
        case.remove()

    def strike(self, case: Case, first: float, last: float) -> str:
        """Kill a case between these shares of its events, some milliseconds later."""
        events = self.expected(case.mode)[1]
        return case.kill_after(self.room.randint(int(first * events), int(last * events)), self.room.uniform(0, 0.02))

    def killed(self, mode: str, times: int) -> None:
        case = Case(self.root, mode, f"case-{os.getpid()}")
        moment = [self.strike(case, 0, 1) for _ in range(times)][-1]
        self.judge(case, "killed" if times == 1 else f"killed {times} times", moment)

    def harmed(self, mode: str, fault: str, harm: Callable[[], None]) -> None:
        case = Case(self.root, mode, f"case-{os.getpid()}")
        code = case.run(harm)
        moment = MOMENTS[case.moment.value] if code else MOMENTS[-1]
        self.judge(case, fault, moment)

    def loader_killed(self) -> None:
        """One of the processes that load data dies, as the kernel does when memory runs out."""
        mode = "two loading processes"
        case = Case(self.root, mode, f"case-{os.getpid()}")
        process = case.start()
        events = self.room.uniform(0.1, 0.8) * self.expected(mode)[1]
        while case.events.value < events and process.is_alive():
            time.sleep(0.001)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        moment = MOMENTS[case.moment.value]
        if children:
            os.kill(int(self.room.choice(children)), signal.SIGKILL)
        process.join(120)
        kill(process)
        self.judge(case, "a loading process killed", moment if children else "no such process then")

    def damaged_between(self, mode: str, name: str) -> None:
        """A file that a killed trial left is damaged before it is run again."""
        case = Case(self.root, mode, f"case-{os.getpid()}")
        path = case.places[0] / name
        for _ in range(5):  # on a busy machine a trial may be over before it is struck, and leaves no state
            moment = self.strike(case, 0.4, 0.9)
            if path.is_file():
                break
            case.remove()
        else:
            return
        how = damage(path, self.room)
        if name != event_log.FILE:
            self.judge(case, f"{name} damaged, then run again", moment)
            return
        code = case.run()
        wanted, found = self.expected(mode)[0], case.outcome()
        same = all(a[key] == b[key] for a, b in zip(wanted, found, strict=True) for key in ("result", "files"))
        true = all(set(b["rows"]) <= set(a["rows"]) for a, b in zip(wanted, found, strict=True))
        self.say(f"{name} damaged, then run again (its other rows)", mode, moment, code == 0 and same and true, how)
        case.remove()

    def damaged_after(self, mode: str, name: str) -> None:
        """A file of a finished trial is damaged: a result is made again, a checkpoint is refused."""
        case = Case(self.root, mode, f"case-{os.getpid()}")
        case.run()
        damage(case.places[0] / name, self.room)
        if name == layout.RESULT:
            self.judge(case, f"{name} damaged", MOMENTS[-1])
            return
        try:
            rebuilt(case.places[0])
            fine = False
        except RequestError:
            fine = True
        self.say(f"{name} damaged (told)", mode, MOMENTS[-1], fine)
        case.remove()


def drive(root: Path, seed: int, kills: int, modes: list[str]) -> None:
    """One driver's share of everything."""
    torch.set_num_threads(1)
    os.environ["TLX_CACHE"] = str(root / "cache")
    driver = Driver(root, seed)
    driver.room.shuffle(modes)
    try:
        for number in range(kills):
            driver.killed(modes[number % len(modes)], 1)
        for mode in modes[:8]:
            driver.killed(mode, 3)
            driver.harmed(mode, "disk full", fill_disk(driver.room))
            driver.harmed(mode, "clock jumps", shift_clock(driver.room))
        for mode in (one for one in ("fine_tune", "lp_ft", "gradual_unfreezing", "ema") if one in modes):
            for name in (resume.FILE, event_log.FILE):
                driver.damaged_between(mode, name)
            for name in (layout.RESULT, layout.CHECKPOINT):
                driver.damaged_after(mode, name)
        for _ in range(5 if "two loading processes" in modes else 0):
            driver.loader_killed()
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def table(rows: list[dict[str, Any]]) -> str:
    """Fault x moment: survived of how many."""
    total: Counter[tuple[str, str]] = Counter((row["fault"], row["moment"]) for row in rows)
    fine: Counter[tuple[str, str]] = Counter((row["fault"], row["moment"]) for row in rows if row["survived"])
    moments = [*MOMENTS, *sorted({row["moment"] for row in rows} - set(MOMENTS))]
    lines = ["| fault | " + " | ".join(moments) + " | survived | lost |", "|---" * (len(moments) + 3) + "|"]
    for fault in dict.fromkeys(row["fault"] for row in rows):
        cells = [f"{fine[fault, m]}/{total[fault, m]}" if total[fault, m] else "" for m in moments]
        survived = sum(fine[fault, m] for m in moments)
        lost = sum(total[fault, m] for m in moments) - survived
        lines.append(f"| {fault} | " + " | ".join(cells) + f" | {survived} | {lost} |")
    return "\n".join(lines)


def long_matrix(root: Path, asked: argparse.Namespace) -> int:
    """One sitting of ``--power`` or ``--io``; the exit code."""
    root.mkdir(parents=True, exist_ok=True)
    library = preload(root)  # from here on calls can be seen
    torch.set_num_threads(1)
    if asked.power:
        modes = asked.modes or [*MODES, *MORE]
        return 0 if power(root, modes, library, asked.limit, asked.real, asked.anew, asked.bad, asked.show) else 1
    modes = asked.modes or [*MODES, "cache"]
    return 0 if strike(root, modes, library, asked.limit, asked.anew, asked.bad) else 1


def main() -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modes", nargs="+", choices=[*MODES, *MORE])
    parser.add_argument("--power", action="store_true", help="judge every state that a power cut may leave")
    parser.add_argument("--io", action="store_true", help="fail every single call that changes files")
    parser.add_argument("--limit", type=float, default=600, help="seconds of one sitting of --power or --io")
    parser.add_argument("--real", type=int, default=0, help="of --power: so many states by the command itself")
    parser.add_argument("--anew", action="store_true", help="forget what was judged of these modes")
    parser.add_argument("--bad", action="store_true", help="judge once more what was not well, and nothing else")
    parser.add_argument("--show", default="", help="of --power: put a state, by its hash, on the disk")
    asked = parser.parse_args()
    root = claimed(asked.folder.resolve())
    if asked.power or asked.io:
        return long_matrix(root, asked)
    modes = asked.modes or sorted(MODES)
    emptied(root)
    share = -(-asked.kills // asked.jobs)
    fork = multiprocessing.get_context("fork")
    drivers = [fork.Process(target=drive, args=(root, asked.seed + n, share, list(modes))) for n in range(asked.jobs)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    rows = [json.loads(line) for path in sorted(root.glob("lines-*.jsonl")) for line in path.open()]
    print(table(rows))
    lost = [row for row in rows if not row["survived"]]
    for row in lost:
        print("lost:", json.dumps(row))
    of_mode = Counter(row["mode"] for row in rows)
    print(f"{len(rows)} cases over {len(of_mode)} modes: {dict(sorted(of_mode.items()))}")
    return 1 if lost or any(driver.exitcode for driver in drivers) else 0


if __name__ == "__main__":
    sys.exit(main())
