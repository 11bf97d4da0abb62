"""What reuse saves on a GPU, and what deterministic kernels cost there: seconds of the training processes.

``python scripts/bench/gpu.py FOLDER [--repeats 5]`` trains in FOLDER and prints two tables.

- **reuse**: eight learning rates, ten epochs each, of a ResNet-50 and a ViT-S/16 at 224 px, random but fixed weights,
  on 1400 rendered digits (360 for validation, 90 for testing). *usual*: one such trial with ``reuse.when=off`` and
  eight processes that load data, times eight. *tlx*: the sweep of eight from an empty store. Both are the sum of what
  ``result.json`` says, so imports are in neither.
- **deterministic**: one epoch of ``fine_tune`` with ``hardware.deterministic`` true and false, by precision.

Medians and ranges over repeats, interleaved; ratios are of medians.
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
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

TLX = [sys.executable, "-m", "tlx"]
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
RATES = ",".join(f"{1e-4 * 300 ** (i / 7):.3g}" for i in range(8))
MODES = {
    "head": ["strategy=feature_extraction"],
    "last stage": ["strategy=fine_tune", "strategy.phases=[{train: [head, 'stages[-1:]']}]"],
}


def weights(folder: Path, name: str) -> str:
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        torch.manual_seed(0)
        save_file(timm.create_model(name, num_classes=0).state_dict(), path)
    return str(path)


def seconds(folder: Path, words: list[str]) -> float:
    """Seconds of training of all trials of a sweep, run now in an empty folder with an empty store."""
    for name in ("runs", "cache/features"):
        shutil.rmtree(folder / name, ignore_errors=True)
    environment = {**os.environ, "TLX_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([*TLX, "sweep", *words], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    return sum(json.loads(path.read_text())["wall_seconds"] for path in (folder / "runs").glob("*/result.json"))


def measure(folder: Path, rows: dict[str, list[str]], repeats: int, until: float) -> dict[str, list[float]]:
    """Interleaved; stops early, with as many of each, when the time is up."""
    found: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(repeats):
        if time.monotonic() > until:
            break
        for name, words in rows.items():
            found[name].append(seconds(folder, words))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=60, help="begin no further repeat after these")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * asked.minutes
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    rows, costs = {}, {}
    for short, name in NETWORKS.items():
        base = ["backbone=timm", f"backbone.name={name}", f"backbone.weights={weights(folder, name)}", *DATA]
        for mode, words in MODES.items():
            usual = [*base, *words, "strategy.lr=1e-3", "strategy.budget=10 epochs"]
            rows[f"{short} {mode}: usual"] = [*usual, "reuse.when=off", "hardware.workers=8"]
            rows[f"{short} {mode}: tlx"] = [*base, *words, "strategy.budget=10 epochs", f"strategy.lr={RATES}"]
        for precision in ("32-true", "bf16-mixed"):
            for on in ("true", "false"):
                costs[f"{short} {precision} {on}"] = [
                    *base,
                    "strategy=fine_tune",
                    "strategy.budget=4 epochs",
                    "reuse.when=off",
                    "hardware.workers=8",
                    f"hardware.precision={precision}",
                    f"hardware.deterministic={on}",
                ]
    found = measure(folder, rows | costs, asked.repeats, until)
    for name, values in found.items():
        print(f"{name:34}{statistics.median(values):8.2f} s  [{min(values):.2f}, {max(values):.2f}]  n={len(values)}")
    for short in NETWORKS:
        for mode in MODES:
            usual, ours = (statistics.median(found[f"{short} {mode}: {who}"]) for who in ("usual", "tlx"))
            print(f"{short} {mode}: eight usual trials {8 * usual:.1f} s, tlx {ours:.1f} s: {8 * usual / ours:.2f}x")
        for precision in ("32-true", "bf16-mixed"):
            on, off = (statistics.median(found[f"{short} {precision} {word}"]) for word in ("true", "false"))
            print(f"{short} {precision}: deterministic kernels cost {on / off:.2f}x")


if __name__ == "__main__":
    main()
