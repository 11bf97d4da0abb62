"""Peak memory of reading a store larger than what may stay resident, at random, as training does.

``python scripts/bench/memory.py FOLDER --gb 10`` writes an entry of that size, reads batches of 64 random rows of it in
a fresh process, and prints how far the resident memory grew above that before the first read.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from place import claimed

from tlx.feature_cache.cut import OutputSpec
from tlx.feature_cache.entry import Column, Meta, Writer
from tlx.feature_cache.features import Features
from tlx.feature_cache.store import Store

SHAPE = (256, 14, 14)  # a feature map of a ResNet-18 at 224 px, 196 KB
KEY = "0" * 32


def write(root: Path, size: float) -> None:
    """An entry of about ``size`` bytes."""
    store = Store(root, 10**13)
    rows = torch.randn(64, *SHAPE)
    column = Column.of(OutputSpec("rows", SHAPE, 4), rows)
    folder = store.aside(KEY)
    writer = Writer(folder, 0, [column])
    while writer.stop * rows[0].nbytes < size:
        writer.append([rows + writer.stop], 64)
    part = writer.close()
    store.publish(
        KEY, folder, Meta({"site": "layer3"}, (column,), [part], writer.stop, writer.stop * rows[0].nbytes, 1.0)
    )


def resident(name: str) -> int:
    """A line of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def read(root: Path, batches: int) -> None:
    """Read at random and print the growth."""
    features = Features(Store(root, 10**13), KEY)
    order, before = np.random.default_rng(0), resident("VmRSS")
    began, spent = time.perf_counter(), time.process_time()
    for _ in range(batches):
        features.take(order.integers(0, len(features), 64))
    wall, cpu = (time.perf_counter() - began) / batches * 1e3, (time.process_time() - spent) / batches * 1e3
    grown = (resident("VmHWM") - before) / 1e6
    print(f"{features.meta.bytes / 1e9:.1f} GB, {batches} batches of 64: {grown:.0f} MB above {before / 1e6:.0f} MB,")
    size = 64 * features.meta.bytes / features.meta.rows / 1e6
    print(f"{wall:.1f} ms wall and {cpu:.1f} ms CPU per batch of {size:.0f} MB")


def main() -> None:
    """Write, then read in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gb", type=float, default=10.0)
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--read", action="store_true")
    arguments = parser.parse_args()
    root = claimed(arguments.folder.absolute()) / "store"
    if arguments.read:
        read(root, arguments.batches)
        return
    write(root, arguments.gb * 1e9)
    subprocess.run(
        [sys.executable, __file__, str(arguments.folder), "--read", "--batches", str(arguments.batches)], check=True
    )
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
