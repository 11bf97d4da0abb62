"""What a sweep costs beyond its training: per trial, and with the number of its trials.

``python scripts/bench/trials.py FOLDER [--most 10000]`` prints two tables and draws ``trials.svg`` into FOLDER:

- *overhead*: 20 trials that train one step on 10 examples, one at a time; the time from one trial's start to the next
  one's, and what of it the trial itself did not take (its process, its folder, its event log's start);
- *growth*: N trials of which none, or all, are finished: wall and CPU seconds and peak memory of planning them
  (composing, checking, finding each one's folder) and of the whole command when nothing is left to do. Finished trials
  are copies of one real result.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from place import claimed

from tlx.orchestration import sweep as sweeps
from tlx.tracking import event_log

WORDS = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=1 steps", "strategy.batch_size=10"]
WORDS += ["dataset=digits", "dataset.shots=1", "tracking=none"]
PLAN = "import sys; from tlx.orchestration import sweep; [sweep.job(trial) for trial in sweep.plan(sys.argv[1:])]"


def measured(command: list[str], folder: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak megabytes of a command and what it waited for."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def overhead(folder: Path) -> None:
    """20 trials, one at a time, with the workers' imports done."""
    shutil.rmtree(folder / "runs", ignore_errors=True)
    command = [sys.executable, "-m", "tlx", "sweep", *WORDS, f"seed={','.join(map(str, range(20)))}", "--jobs", "1"]
    measured(command, folder)
    starts, takes = [], []
    for place in folder.glob("runs/pixels*"):
        rows = list(event_log.read(place))
        starts.append(rows[0]["time"] / 1000)
        takes.append((rows[-1]["time"] - rows[0]["time"]) / 1000)
    order = sorted(range(20), key=lambda i: starts[i])
    periods = [starts[b] - starts[a] for a, b in pairwise(order)]
    rest = [period - takes[i] for period, i in zip(periods, order, strict=False)]
    print("20 trials of one step, one at a time: seconds per trial, median [range]")
    for name, values in (("from start to start", periods), ("of it outside the trial", rest)):
        print(f"| {name} | {statistics.median(values):.3f} [{min(values):.3f}, {max(values):.3f}] |")


def growth(folder: Path, most: int) -> None:
    """Planning, and running again what is finished."""
    source = next(folder.glob("runs/pixels*-s0-*/result.json"))
    result = json.loads(source.read_text())
    counts = [count for count in (100, 300, 1000, 3000, 10000) if count <= most]
    rows: dict[str, list[tuple[float, float, float]]] = {"planning": [], "all finished": []}
    print("\n| trials | planning: wall, CPU s, MB | all finished, whole command: wall, CPU s, MB |\n|---|---|---|")
    for count in counts:
        words = [*WORDS, f"seed=range({count})", "output=many"]
        shutil.rmtree(folder / "many", ignore_errors=True)
        rows["planning"].append(measured([sys.executable, "-c", PLAN, *words], folder))
        for trial in sweeps.plan(words):
            place = sweeps.job(trial).place
            place.path.mkdir(parents=True)
            copied = {**result, "identity": place.identity, "name": place.name, "folder": str(place.path)}
            (place.path / "result.json").write_text(json.dumps(copied))
        rows["all finished"].append(measured([sys.executable, "-m", "tlx", "sweep", *words], folder))
        cells = [" / ".join(f"{value:.1f}" for value in rows[name][-1]) for name in rows]
        print(f"| {count} | {cells[0]} | {cells[1]} |", flush=True)
    draw(folder / "trials.svg", counts, rows)


def draw(path: Path, counts: list[int], rows: dict[str, list[tuple[float, float, float]]]) -> None:
    """Seconds and megabytes over the number of trials."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for name, values in rows.items():
        left.loglog(counts, [value[0] for value in values], "o-", label=name)
        right.semilogx(counts, [value[2] for value in values], "o-", label=name)
    left.set(xlabel="trials", ylabel="wall seconds")
    right.set(xlabel="trials", ylabel="peak memory, MB", ylim=(0, None))
    left.legend(frameon=False)
    figure.savefig(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=10000)
    asked = parser.parse_args()
    os.chdir(claimed(asked.folder))
    overhead(Path.cwd())
    growth(Path.cwd(), asked.most)


if __name__ == "__main__":
    main()
