"""What reuse saves on a GPU, and what deterministic kernels cost there: seconds of wall time, imports excluded.

``python scripts/bench/gpu.py FOLDER [--repeats 5]`` trains in FOLDER, in one process, and prints two tables.

- **reuse**: eight learning rates, ten epochs each, of a ResNet-50 and a ViT-S/16 at 224 px, random but fixed weights,
  on 1400 rendered digits (360 for validation, 90 for testing). *usual*: one such trial with ``reuse.when=off`` and
  eight processes that load data, times eight. *tlx*: all eight, from an empty store; heads are trained side by side,
  the others one after the other.
- **deterministic**: four epochs of ``fine_tune`` with ``hardware.deterministic`` ``warn`` and ``never``, by precision.

After a warm-up of each; interleaved; medians and ranges; ratios are of medians.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import timm
import torch
from place import claimed
from safetensors.torch import save_file

import tlx
from tlx.training.multi_head import NotBatchable, train_together

DATA = [
    "dataset=glyphs",
    "dataset.characters=digits",
    "dataset.n_train=1400",
    "dataset.n_val=360",
    "dataset.n_test=90",
    "tracking=none",
    "hardware=gpu",
    "strategy.batch_size=64",
]
NETWORKS = {"resnet50": "resnet50", "vit_small": "vit_small_patch16_224"}
RATES = [f"{1e-4 * 300 ** (i / 7):.3g}" for i in range(8)]
MODES = {
    "head": ["strategy=feature_extraction"],
    "last stage": ["strategy=fine_tune", "strategy.phases=[{train: [head, 'stages[-1:]']}]"],
}
PRECISIONS = ("32-true", "bf16-mixed")


def weights(folder: Path, name: str) -> str:
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        torch.manual_seed(0)
        # timm lets residual branches end in a norm of 0, behind which an untrained branch has no gradient at first
        more = {"zero_init_last": False} if name.startswith("resnet") else {}
        save_file(timm.create_model(name, num_classes=0, **more).state_dict(), path)
    return str(path)


def seconds(folder: Path, base: list[str], rates: list[str], together: bool = False) -> float:
    """Of these trials, run now with nothing finished and an empty store."""
    for name in ("runs", "store"):
        shutil.rmtree(folder / name, ignore_errors=True)
    places = [f"output={folder / 'runs'}", f"reuse.folder={folder / 'store'}"]
    trials = [tlx.compose([*base, *places, f"strategy.lr={rate}"]) for rate in rates]
    torch.cuda.synchronize()
    began = time.perf_counter()
    try:
        if together:
            train_together(trials, [lambda line: None] * len(trials))
    except NotBatchable as reason:
        print(f"one after the other: {reason}", flush=True)
    for trial in trials:
        tlx.train(trial)  # those trained together have their results
    torch.cuda.synchronize()
    return time.perf_counter() - began


def jobs(folder: Path) -> dict[str, Callable[[], float]]:
    """What is measured, by name."""
    found: dict[str, Callable[[], float]] = {}
    for short, name in NETWORKS.items():
        base = ["backbone=timm", f"backbone.name={name}", f"backbone.weights={weights(folder, name)}", *DATA]
        for mode, words in MODES.items():
            ten = [*base, *words, "strategy.budget=10 epochs"]
            usual = [*ten, "reuse.when=off", "hardware.workers=8"]
            found[f"{short} {mode} usual"] = lambda words=usual: seconds(folder, words, RATES[4:5])
            found[f"{short} {mode} tlx"] = lambda words=ten, mode=mode: seconds(folder, words, RATES, mode == "head")
        for precision in PRECISIONS:
            for kernels in ("warn", "never"):
                four = [*base, "strategy=fine_tune", "strategy.budget=4 epochs", "reuse.when=off", "hardware.workers=8"]
                four += [f"hardware.precision={precision}", f"hardware.deterministic={kernels}"]
                found[f"{short} {precision} {kernels}"] = lambda words=four: seconds(folder, words, RATES[4:5])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="jobs whose name has this in it, e.g. 'resnet50 head'")
    parser.add_argument("--minutes", type=float, default=60, help="begin no further repeat after these")
    asked = parser.parse_args()
    folder = claimed(asked.folder.resolve())
    os.environ["TLX_CACHE"] = str(folder / "cache")
    until = time.monotonic() + 60 * asked.minutes
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
    work = {name: job for name, job in jobs(folder).items() if asked.only in name}
    found: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(asked.repeats + 1):
        if time.monotonic() > until:
            break
        for name, job in work.items():
            taken = job()
            print(f"{repeat} {name} {taken:.2f}", flush=True)
            found[name] += [taken] if repeat else []  # the first is the warm-up
    for name, values in found.items():
        if values:
            print(
                f"{name:34}{statistics.median(values):8.2f} s  [{min(values):.2f}, {max(values):.2f}] n={len(values)}"
            )
    middle = {name: statistics.median(values) for name, values in found.items() if values}
    for short in NETWORKS:
        for mode in MODES:
            usual, ours = middle.get(f"{short} {mode} usual"), middle.get(f"{short} {mode} tlx")
            if usual and ours:
                print(
                    f"{short} {mode}: eight usual trials {8 * usual:.1f} s, tlx {ours:.1f} s: {8 * usual / ours:.2f}x"
                )
        for precision in PRECISIONS:
            on, off = middle.get(f"{short} {precision} warn"), middle.get(f"{short} {precision} never")
            if on and off:
                print(f"{short} {precision}: deterministic kernels take {on / off:.2f}x the time")


if __name__ == "__main__":
    main()
