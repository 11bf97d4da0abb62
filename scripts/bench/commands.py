"""What commands cost before they do their work: CPU seconds as multiples of ``import torch``, in the same sitting.

``python scripts/bench/commands.py [--repeats 5]`` prints a table of medians. Repeats take turns, so that what else the
machine does falls on all of them alike. Every command runs in an empty folder, tracking off.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TRIAL = ["backbone=narrow_resnet", "strategy=fine_tune", "strategy.init=scratch", "dataset=digits", "tracking=none"]
TRIAL += ["strategy.budget=2 steps", "strategy.audit=off"]
FIRST_STEP = """
import os, sys
from torch.optim.optimizer import register_optimizer_step_post_hook
def stop(optimizer, *_):  # an optimizer's arguments are tried on a few numbers before
    if sum(weight.numel() for group in optimizer.param_groups for weight in group["params"]) > 200:
        os._exit(0)
register_optimizer_step_post_hook(stop)
from tlx.cli import command
command()
"""


def spent(words: list[str], folder: Path, codes: tuple[int, ...] = (0,)) -> float:
    """CPU seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)
    if done.returncode not in codes:
        raise SystemExit(f"{words}: exit {done.returncode}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["TLX_CACHE"] = str(folder / "cache")
        tlx = ["-m", "tlx"]
        spent([*tlx, "train", *TRIAL], folder)
        spent([*tlx, "sweep", *TRIAL, "seed=1,2"], folder)
        commands = {
            "import torch": ["-c", "import torch"],
            "plan of one trial": [*tlx, "plan", *TRIAL],
            "train, already finished": [*tlx, "train", *TRIAL],
            "sweep, already finished": [*tlx, "sweep", *TRIAL, "seed=1,2"],
            "status": [*tlx, "status"],
            "train, to its first optimizer step": ["-c", FIRST_STEP, "train", *TRIAL, "output=fresh"],
        }
        found: dict[str, list[float]] = {what: [] for what in commands}
        for _ in range(asked.repeats):
            for what, words in commands.items():
                found[what].append(spent(words, folder))
        unit = statistics.median(found["import torch"])
        print("| command | CPU s | x import torch | least | most |\n|---|---|---|---|---|")
        for what, seconds in found.items():
            middle = statistics.median(seconds)
            print(f"| {what} | {middle:.2f} | {middle / unit:.2f} | {min(seconds):.2f} | {max(seconds):.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
