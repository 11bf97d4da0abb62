"""Small trials give what they gave, and shipped experiments are what they were.

``golden.json`` holds, of every trial, its identity, its metrics and, for each kind of processor, the hashes of its
weights and predictions. A change that is meant is written with ``TLX_RENEW_GOLDEN=1 pytest tests/golden``, in a commit
that says why.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import tlx
from tlx.config.fields import NEUTRAL
from tlx.runs import result as results

FILE = Path(__file__).with_name("golden.json")
RENEW = bool(os.environ.get("TLX_RENEW_GOLDEN"))
IMAGES = ("backbone=narrow_resnet", "dataset=digits", "dataset.shots=4")
TEXTS = ("backbone=narrow_bert", "dataset=docstrings", "dataset.shots=4")
SHORT = ("strategy.budget=6 steps", "strategy.batch_size=16", "strategy.validate_every=2 steps")
TRIALS = {
    "pixels": ("backbone=pixels", "dataset=digits", "strategy=feature_extraction"),
    "logistic": (*IMAGES, "strategy=logistic"),
    "features": (*IMAGES, "strategy=feature_extraction"),
    "augmented": (*IMAGES, "strategy=fine_tune", "dataset.augment=shift", "seed=3"),
    "fine_tune": (*IMAGES, "strategy=fine_tune"),
    "scratch": (*IMAGES, "strategy=scratch", "seed=2"),
    "lp_ft": (*IMAGES, "strategy=lp_ft"),
    "gradual": (*IMAGES, "strategy=gradual_unfreezing", "strategy.audit=off"),
    "llrd": (*IMAGES, "strategy=llrd", "strategy.audit=off", "strategy.optimizer=sgd"),
    "l2_sp": (*IMAGES, "strategy=l2_sp"),
    "ema": (*IMAGES, "strategy=ema"),
    "text_features": (*TEXTS, "strategy=feature_extraction"),
    "text_bitfit": (*TEXTS, "strategy=bitfit"),
    "text_lora": (*TEXTS, "strategy=lora"),
}
WHOLE = ("logistic",)  # solved exactly, in no steps
EXPERIMENTS = sorted(path.stem for path in (Path(__file__).parents[2] / "experiments").glob("*.yaml"))


def processor() -> str:
    """Where the same code gives the same bits: the release of torch, the processor, and its instructions in use."""
    told: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            told.setdefault(name.strip(), value.strip())
    kind = " ".join(told.get(name, "") for name in ("vendor_id", "cpu family", "model")).strip() or platform.processor()
    return f"torch {torch.__version__.partition('+')[0]}, {kind}, {torch.backends.cpu.get_cpu_capability()}"


def golden(part: str, name: str, found: dict[str, Any]) -> dict[str, Any]:
    """What is recorded of a trial or experiment, or, when records are renewed, what was found."""
    recorded: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    if RENEW:
        recorded.setdefault(part, {})[name] = found
        FILE.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
    assert name in recorded[part], f"{name} is not recorded; run: TLX_RENEW_GOLDEN=1 pytest tests/golden"
    of_part: dict[str, Any] = recorded[part][name]
    return of_part


@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_gives_what_it_gave(name: str, folder: Path) -> None:
    torch.set_num_threads(1)
    words = TRIALS[name] if name in WHOLE else (*TRIALS[name], *SHORT)
    trial = tlx.compose([*words, "tracking=none", "hardware.threads=1", "hardware=cpu"])
    result = tlx.train(trial)
    bits = results.hashes(folder / "runs" / result.folder)
    found = {"identity": result.identity, "metrics": result.metrics, "bits": {processor(): bits}}
    recorded = golden("trials", name, found)
    assert result.identity == recorded["identity"]
    if processor() in recorded["bits"]:
        assert bits == recorded["bits"][processor()]
        assert result.metrics == recorded["metrics"]
        return
    for metric, value in recorded["metrics"].items():  # another processor rounds otherwise: an example may change sides
        near = 5e-3 * abs(value) if metric.endswith("loss") else 0.02
        assert result.metrics[metric] == pytest.approx(value, abs=near), metric


def said(node: Any) -> Any:
    """All that a configuration says, but for options that change nothing as they are: more of them come later."""
    if is_dataclass(node):
        known = {one.name: (getattr(node, one.name), one.metadata.get(NEUTRAL, said)) for one in fields(node)}
        return {name: said(value) for name, (value, neutral) in known.items() if value != neutral}
    if isinstance(node, dict):
        return {str(key): said(value) for key, value in node.items()}
    return [said(value) for value in node] if isinstance(node, list) else node


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_what_it_was(name: str) -> None:
    text = json.dumps(said(tlx.compose([f"experiment={name}", "hardware=cpu"])), default=str)
    found = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    assert found == golden("experiments", name, found)
