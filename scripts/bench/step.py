"""What a training step costs beside the same step in a plain loop of PyTorch: seconds of CPU, medians, in turn.

``python scripts/bench/step.py [--repeats 5] [--steps 200]`` trains a narrow ResNet on digits and a byte BERT on
docstrings, all of each, by a loop of ten lines and by ``tlx.train``. Both take batches, network, optimizer and groups
from the same parts; the first steps, in which memory is found, are left out. One thread.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

import tlx
from tlx.config.schema import Trial
from tlx.strategies import freezing, optimizers
from tlx.training.build import build
from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.context import Context

WORKLOADS = {
    "narrow_resnet": ["backbone=narrow_resnet", "dataset=digits"],
    "narrow_bert": ["backbone=narrow_bert", "dataset=docstrings"],
}
COMMON = ["strategy=fine_tune", "strategy.init=scratch", "tracking=none", "hardware=cpu", "hardware.threads=1"]
COMMON += ["strategy.audit=off", "checkpoint.every_minutes=null"]
WARM = 20  # steps
TIMES: list[tuple[float, float]] = []  # CPU and wall seconds after each step


@dataclass
class Options:
    """None."""


@tlx.register.callback("stopwatch", config=Options, capabilities={"trainable", "cacheable"})
class Stopwatch(Callback):
    """Notes the time after every step."""

    def __init__(self, options: Options) -> None:
        TIMES.clear()

    def on_step(self, ctx: Context) -> None:
        """Note it."""
        TIMES.append((time.process_time(), time.perf_counter()))


def composed(name: str, steps: int, folder: str, *more: str) -> Trial:
    """A trial that is validated at its end alone."""
    lengths = [f"strategy.budget={steps} steps", f"strategy.validate_every={steps} steps", f"output={folder}"]
    return tlx.compose([*WORKLOADS[name], *COMMON, *lengths, *more])


def spent() -> tuple[float, float]:
    """CPU and wall milliseconds of a step."""
    (cpu, wall), (cpu_then, wall_then) = TIMES[-1], TIMES[WARM - 1]
    count = len(TIMES) - WARM
    return 1000 * (cpu - cpu_then) / count, 1000 * (wall - wall_then) / count


def by_hand(name: str, steps: int, folder: str) -> tuple[float, float]:
    """The plain loop."""
    torch.set_num_threads(1)
    trial = composed(name, steps, folder)
    built = build(trial)
    module, model = built.module, built.module.model
    freezing.freeze(model, built.phases[0].trainable)
    optimizer = optimizers.optimizer(trial.strategy, built.stages, built.phases, fused=True)
    TIMES.clear()
    model.train()
    for batch in built.data.train_loader(module.epochs, 0, steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(batch.inputs), batch.targets["label"])
        loss.backward()
        optimizer.step()
        TIMES.append((time.process_time(), time.perf_counter()))
    return spent()


def by_tlx(name: str, steps: int, folder: str) -> tuple[float, float]:
    """``tlx.train``."""
    tlx.train(composed(name, steps, folder, "callbacks.stopwatch={}"))
    return spent()


def main() -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    asked = parser.parse_args()
    ways: dict[str, Any] = {"a plain loop": by_hand, "tlx.train": by_tlx}
    print("| network | way | CPU ms a step | x plain | wall ms a step |\n|---|---|---|---|---|")
    for name in WORKLOADS:
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for number in range(asked.repeats + 1):
            for way, run in ways.items():
                with tempfile.TemporaryDirectory() as folder:
                    os.environ["TLX_CACHE"] = str(Path(folder) / "cache")
                    one = run(name, asked.steps, folder)
                if number:  # the first is to warm up
                    found[way].append(one)
        plain = statistics.median(cpu for cpu, _ in found["a plain loop"])
        for way, rows in found.items():
            cpu, wall = (statistics.median(row[i] for row in rows) for i in (0, 1))
            print(f"| {name} | {way} | {cpu:.3f} | {cpu / plain:.3f} | {wall:.3f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
