"""How fast images become numbers: training and frozen passes from JPEGs, beside plain Lightning and timm's loader.

``python scripts/bench/images.py FOLDER [--repeats 5] [--images 128] [--model resnet18] [--before CHECKOUT]`` makes
JPEGs of 500 x 375 and tiles of six bands of 16 bits in FOLDER, runs each arm in a process of its own, in turn, and
prints images per second: median and range. ``--before`` adds the arms of another checkout of tlx. On a GPU:
``--model resnet50 --images 4096 --batch 64 --workers 14 --precision bf16-mixed --warm 40``.

Arms: *alone* has a batch on the device already; *load* makes batches and throws them away; *frozen* passes every
image through the backbone without gradients; *train* takes optimizer steps. ``--warm`` batches are left out whenever
it is an arm's turn: more than its loader makes before it is. Of *train tlx*: *flip_crop* augments, *never* allows
kernels that are not deterministic, *map* keeps decoded images, and any words of a trial may stand there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

ARMS_FILE = Path(__file__).parent / "image_arms.py"
SIZE, CLASSES, BANDS = (375, 500), 4, 6
ARMS = {
    "jpeg": (
        *("alone frozen", "alone train", "load tlx", "load pil", "frozen tlx", "frozen lightning", "frozen timm"),
        *("train tlx", "train tlx flip_crop", "train tlx never", "train tlx map", "train lightning", "train timm"),
    ),
    "tiles": ("load tlx", "frozen tlx", "frozen lightning", "train tlx", "train lightning"),
}
READY, SAID = "ready", "seconds: "


def make(folder: Path, count: int) -> None:
    """Fill the folder, unless it is full."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for kind in ("jpeg", "tiles"):
        for i in range(count):
            path = folder / kind / f"class_{i % CLASSES}" / f"{i}.{'jpg' if kind == 'jpeg' else 'npy'}"
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            channels, top = (3, 255) if kind == "jpeg" else (BANDS, 4095)
            coarse = rng.random((SIZE[0] // 8 + 1, SIZE[1] // 8 + 1, channels))
            smooth = (
                np.kron(coarse, np.ones((8, 8, 1)))[: SIZE[0], : SIZE[1]] * 0.8 + rng.random((*SIZE, channels)) * 0.2
            )
            values = (smooth * top).astype(np.uint8 if kind == "jpeg" else np.uint16)
            if kind == "jpeg":
                Image.fromarray(values).save(path, quality=90)
            else:
                np.save(path, values)


class Arm:
    """A process that takes turns."""

    def __init__(self, asked: argparse.Namespace, kind: str, name: str, before: str = "") -> None:
        self.name = f"{kind} | {name}{' before' if before else ''}"
        self.rates: list[float] = []
        steps = asked.steps or max(1, asked.images // asked.batch)
        total = asked.repeats * (asked.warm + steps) + 1
        settings = {"arm": name, "kind": kind, "total": total, "is_before": bool(before)}
        settings = {**vars(asked), **settings, "steps": steps, "folder": str(asked.folder.absolute())}
        self._images = steps * asked.batch
        self._folder = tempfile.TemporaryDirectory()
        self._errors = Path(self._folder.name, "stderr")
        environment = {**os.environ, "TLX_CACHE": f"{self._folder.name}/cache"}
        environment |= {"PYTHONPATH": before} if before else {}
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(ARMS_FILE), json.dumps(settings)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def wait(self) -> None:
        """Until it has taken its first step."""
        self._answer(READY)

    def turn(self) -> None:
        """Have it take its steps, and note how many images a second that were."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.rates.append(self._images / float(self._answer(SAID)))
        self._answer(READY)

    def _answer(self, beginning: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(beginning):
                return line.removeprefix(beginning)
        raise RuntimeError(f"{self.name} ended: {self._errors.read_text()[-2000:]}")

    def end(self) -> None:
        """It and what it kept."""
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def __str__(self) -> str:
        low, high = min(self.rates), max(self.rates)
        return f"| {self.name} | {statistics.median(self.rates):.1f} | {low:.1f} to {high:.1f} |"


def measure(asked: argparse.Namespace) -> None:
    """All arms in turn, and a table."""
    if asked.images:
        make(asked.folder, asked.images)
    print("| images | arm | images/s | range |\n|---|---|---|---|", flush=True)
    for kind in asked.kinds:
        with ExitStack() as stack:
            arms = []
            for name in asked.arms or ARMS[kind]:
                for before in ("", asked.before) if " tlx" in name and asked.before else ("",):
                    arms.append(Arm(asked, kind, name, before))
                    stack.callback(arms[-1].end)
            for arm in arms:
                arm.wait()
            for _ in range(asked.repeats):
                for arm in arms:
                    arm.turn()
                    print(f"{arm.name}: {arm.rates[-1]:.1f}", file=sys.stderr, flush=True)
            print(*arms, sep="\n", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=128, help="made, and passed through in each arm")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--workers", type=int, help="of every loader; none: two of others', what tlx finds")
    parser.add_argument(
        "--warm", type=int, default=6, help="batches left out at first: more than a loader makes in advance"
    )
    parser.add_argument("--steps", type=int, help="batches of an arm; none: as many as there are")
    parser.add_argument("--before", default="", help="another checkout of tlx")
    parser.add_argument("--kinds", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--arms", nargs="+", default=[], help="some of them, or others: train tlx hardware.workers=6")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
