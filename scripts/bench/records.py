"""What long records cost: the state of sweeps from a log of 200 MB, and the predictions of many examples.

``python scripts/bench/records.py FOLDER [--repeats 5]`` makes a sweep with one trial whose log has ``--megabytes``, and
times the command ``tlx status`` on it; then writes predictions of ``--rows`` examples among ``--classes`` classes, a
batch at a time, as a trial does. Each number is the median over processes of their own; the peak is all that a process
had at its largest.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

BATCH = 256


def make(root: Path, megabytes: int) -> None:
    """Make a sweep and its trial, both with a log of that length."""
    from tlx.files.checksum import with_checksum
    from tlx.tracking.event_log import FILE, EventLog

    values = {f"optim/lr-stage{i}": 0.0012345678 for i in range(20)}
    row = with_checksum(json.dumps({"event": "metrics", "time": 1, "step": 7, "epoch": 1.0, "values": values})) + "\n"
    for name, kind in (("sweep-01234567", "sweep"), ("trial-0123456789ab", "train")):
        folder = root / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).unlink(missing_ok=True)
        record = EventLog(folder)
        record.begin(kind=kind, tags={"tlx.kind": kind})
        record.write("trials", folders=["trial-0123456789ab"])
        with (folder / FILE).open("a") as stream:
            for _ in range(megabytes * 1_000_000 // len(row)):
                stream.write(row)
        record.write("metrics", step=12345, epoch=2.0, values={})


def status(root: Path) -> None:
    """Ask how the sweep goes."""
    from tlx.cli import main

    if main(["status", "sweep", f"output={root / 'runs'}"]) != 0:
        raise SystemExit("tlx status failed")


def predict(root: Path, rows: int, classes: int) -> None:
    """Write predictions as a trial does, of logits that are drawn."""
    import torch

    from tlx.columns import Image, Label
    from tlx.columns.batch import Batch
    from tlx.columns.schema import Schema
    from tlx.config.task import Classification
    from tlx.tasks.load import load as load_task
    from tlx.tasks.protocol import StepOutput
    from tlx.training.predictions import predictions

    label = Label("label", classes=tuple(f"class {i}" for i in range(classes)))
    task = load_task(Classification(kind="classification"), Schema((Image("image", channels=3), label)))
    generator = torch.Generator().manual_seed(0)
    with predictions(root / "predictions.jsonl", lambda i: {"example": f"example {i}"}) as written:
        for at in range(0, rows, BATCH):
            count = min(BATCH, rows - at)
            logits = torch.randn(count, classes, generator=generator)
            batch = Batch(torch.arange(at, at + count), {}, {"label": torch.zeros(count, dtype=torch.long)})
            written.add(task.predict(torch.nn.Identity(), batch, StepOutput(None, count, {"outputs": logits})))


def work(step: str, asked: argparse.Namespace) -> dict[str, float]:
    """Do one step in this process; what it took."""
    began, spent = time.perf_counter(), time.process_time()
    if step == "status":
        status(asked.folder)
    else:
        predict(asked.folder, asked.rows, asked.classes)
    took = {"wall s": time.perf_counter() - began, "cpu s": time.process_time() - spent}
    return {**took, "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--classes", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", choices=("status", "predictions"))
    asked = parser.parse_args()
    if asked.work:
        print(json.dumps(work(asked.work, asked)))
        return
    make(asked.folder, asked.megabytes)
    for step, repeats in (("status", asked.repeats), ("predictions", 1)):
        found = []
        for _ in range(repeats):
            command = [sys.executable, __file__, *sys.argv[1:], "--work", step]
            printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
            found.append(json.loads(printed.splitlines()[-1]))
        median = {name: statistics.median(one[name] for one in found) for name in found[0]}
        print(step, {name: round(value, 2) for name, value in median.items()}, f"n = {repeats}", flush=True)


if __name__ == "__main__":
    main()
