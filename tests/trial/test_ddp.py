"""Two processes: the same weights on both, every example once per epoch, and the result of one process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

PROGRAM = """
import json, os, sys
import torch
import tlx
from tlx.trial.learner import Learner

rank = os.environ.get("LOCAL_RANK", "0")
seen = open(f"seen-{rank}.jsonl", "a")
step, end = Learner.training_step, Learner.on_train_end

def training_step(self, batch, batch_idx):
    assert torch.distributed.get_world_size() == self.trainer.world_size == 2
    seen.write(json.dumps([int(self.trainer.global_step), batch["index"].tolist()]) + chr(10))
    return step(self, batch, batch_idx)

def on_train_end(self):
    torch.save({n: p.detach().clone() for n, p in self.model.named_parameters()}, f"weights-{rank}.pt")
    return end(self)

Learner.training_step, Learner.on_train_end = training_step, on_train_end
tlx.train(tlx.compose(sys.argv[1:]))
"""


@pytest.mark.slow
def test_two_ranks_agree_and_share_every_epoch(folder: Path) -> None:
    phases = "strategy.phases=[{train: [head], until: 1 epochs}, {train: [all]}]"
    words = ["backbone=narrow_resnet", "dataset=digits", "strategy=scratch", "strategy.budget=2 epochs", phases]
    _run([*words, "hardware=ddp_cpu", "strategy.batch_size=64", "tracking=none"])
    one, two = (torch.load(folder / f"weights-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    seen: dict[int, Counter[int]] = {0: Counter(), 1: Counter()}
    for rank in (0, 1):
        for line in (folder / f"seen-{rank}.jsonl").read_text().splitlines():
            step, indices = json.loads(line)
            seen[step // 11].update(indices)  # 700 examples in batches of 64: 11 steps
    for epoch in (0, 1):
        assert len(seen[epoch]) == 700
        assert set(seen[epoch].values()) == {1}
    result = json.loads(next(folder.glob("runs/*/result.json")).read_text())
    assert len(next(folder.glob("runs/*/predictions.jsonl")).read_text().splitlines()) == 897
    assert result["steps"] == 22


@pytest.mark.slow
def test_two_processes_give_what_one_gives(folder: Path) -> None:
    words = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "dataset.shots=5", "tracking=none"]
    words += ["strategy.budget=2 epochs", "strategy.batch_size=22"]  # 50 in 22, 22, 6
    _run([*words, "hardware=ddp_cpu", "output=two"])
    command = [sys.executable, "-m", "tlx", "train", *words, "hardware=cpu", "hardware.threads=1", "output=one"]
    subprocess.run(command, check=True, capture_output=True)
    one, two = (json.loads(next(folder.glob(f"{name}/*/result.json")).read_text()) for name in ("one", "two"))
    assert one["identity"] == two["identity"]  # how many devices is not what a trial is
    assert two["metrics"] == pytest.approx(one["metrics"], abs=1e-5)


def _run(words: list[str]) -> None:
    Path("program.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, "program.py", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
