"""Two processes: the same weights on both, every example once per epoch, and the result of one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import Said
from tests.training.conftest import PHASES, Compose, Families, Watch, differences, run_program, said, trained
from tlx.config.errors import ConfigError
from tlx.tracking import event_log
from tlx.training.build import build
from tlx.training.hardware_options import apply_hardware_options

PROGRAM = """
import json, os, sys
import torch
import tlx
from tlx.training.module import TrialModule

rank = os.environ.get("LOCAL_RANK", "0")
seen = open(f"seen-{rank}.jsonl", "a")
step, end = TrialModule.training_step, TrialModule.on_train_end

def training_step(self, batch, batch_idx):
    assert torch.distributed.get_world_size() == self.trainer.world_size == 2
    seen.write(json.dumps([int(self.trainer.global_step), batch.index.tolist()]) + chr(10))
    return step(self, batch, batch_idx)

def on_train_end(self):
    torch.save({n: p.detach().clone() for n, p in self.model.named_parameters()}, f"weights-{rank}.pt")
    return end(self)

TrialModule.training_step, TrialModule.on_train_end = training_step, on_train_end
tlx.train(tlx.compose(sys.argv[1:]))
"""

NAIVE = """
import os, subprocess, sys
import torch
from torch import nn

rank = int(os.environ.get("RANK", "0"))
if rank == 0:
    os.environ.update(RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
    store = torch.distributed.TCPStore("127.0.0.1", 0, 2, True, wait_for_workers=False)
    other = subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, "RANK": "1", "PORT": str(store.port)})
else:
    store = torch.distributed.TCPStore("127.0.0.1", int(os.environ["PORT"]), 2, False)
torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
model[0].requires_grad_(False)
wrapped = nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
torch.manual_seed(1 + rank)
copies = {}
for moment in ("before", "after"):
    for _ in range(3):
        optimizer.zero_grad()
        wrapped(torch.randn(8, 4)).pow(2).mean().backward()
        optimizer.step()
    copies[moment] = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model[0].requires_grad_(True)
torch.save(copies, f"naive-{rank}.pt")
torch.distributed.barrier()
if rank == 0:
    sys.exit(other.wait())
"""


@pytest.mark.long
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


@pytest.mark.long
def test_two_processes_of_a_sweep_give_what_one_gives(folder: Path, said: Said) -> None:
    """Devices can be swept: right worlds, every example counted, and the same numbers."""
    words = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "dataset.shots=5", "tracking=none"]
    words += ["strategy.budget=2 epochs", "strategy.batch_size=22", "hardware.accelerator=cpu"]  # 50 in 22, 22, 6
    said("sweep", *words, "hardware.devices=1,2")
    places = {"-x2-" in path.name: path for path in folder.glob("runs/pixels*")}
    one, two = (json.loads((places[wide] / "result.json").read_text()) for wide in (False, True))
    assert "1 process " in (places[False] / "log.txt").read_text()
    assert "2 processes " in (places[True] / "log.txt").read_text()
    assert one["identity"] != two["identity"]  # with BatchNorm or dropout, halves of a batch are not the batch
    assert one["steps"] == two["steps"]
    assert two["metrics"] == pytest.approx(one["metrics"], abs=1e-5)
    rows = [(place / "predictions.jsonl").read_text().splitlines() for place in places.values()]
    assert len(rows[0]) == len(rows[1]) == 897


def _run(words: list[str]) -> None:
    run_program(Path.cwd(), PROGRAM, *words)


FREEZING = {
    "gradual_unfreezing": ("strategy.phases.1.expand.levels=3",),
    "chain_thaw": ("strategy.phases.1.expand.levels=2", "strategy.phases.1.until=50%"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", ["gradual_unfreezing", "chain_thaw"])
def test_two_ranks_thaw_as_one_process_does(small: Compose, families: Families, watch: Watch, name: str) -> None:
    """After every phase. (SGD, as AdamW makes much of a rounding error near zero; BERT's shares differ by one.)"""
    family = (*families["bert"], "backbone.dropout=0") if name == "gradual_unfreezing" else families["vit"]
    words = (*family, f"strategy={name}", *FREEZING[name], "strategy.optimizer.name=sgd", "strategy.lr=0.05")
    words = (*words, "strategy.batch_size=16", "strategy.budget=16 steps", "strategy.keep=last")
    words = (*words, "strategy.schedule.shape=constant", "strategy.schedule.warmup=0%", "strategy.backbone_lr=0.02")
    expected = trained(small(*words, "output=one"))
    run_program(Path.cwd(), PHASES, *said(small, *words, "hardware=ddp_cpu", "output=two"))
    one, two = (torch.load(f"phases-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert len(one) == len(two) == len(watch.ends) == 4
    for first, second, alone in zip(one, two, watch.ends, strict=True):
        assert not differences(first, second)
        assert not differences(first, alone, 1e-6)
    (checkpoint,) = Path("two").glob("*/checkpoint.safetensors")
    assert not differences(load_file(checkpoint), expected, 1e-6)


@pytest.mark.long
def test_without_a_new_wrap_the_ranks_drift_apart(folder: Path) -> None:
    """Why every phase is a fit of its own: DDP does not know of what was frozen when it wrapped the network."""
    run_program(folder, NAIVE)
    one, two = (torch.load(folder / f"naive-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert not differences(one["before"], two["before"])
    assert set(differences(one["after"], two["after"])) == {"0.weight", "0.bias"}  # what thawed


@pytest.mark.long
def test_two_ranks_killed_go_on_bit_for_bit(folder: Path, small: Compose, families: Families) -> None:
    """BERT drops out: the random numbers of both have to go on. (Here they draw alike; it does not tell them apart.)"""
    words = (*families["bert"], "strategy=gradual_unfreezing", "strategy.phases.1.expand.levels=3", "hardware=ddp_cpu")
    words = (*words, "strategy.batch_size=16", "strategy.budget=60 steps", "checkpoint.every_minutes=0")
    command = [sys.executable, "-m", "tlx", "train", *said(small, *words)]
    places = {}
    for output in ("calm", "killed"):
        process = subprocess.Popen([*command, f"output={output}"], start_new_session=True, stdout=subprocess.DEVNULL)
        if output == "killed":
            kill_midway(process, folder)
            process = subprocess.Popen(
                [*command, f"output={output}"], start_new_session=True, stdout=subprocess.DEVNULL
            )
        assert process.wait(300) == 0
        (places[output],) = (path.parent for path in (folder / output).glob("*/result.json"))
    for name in ("checkpoint.safetensors", "predictions.jsonl"):
        assert (places["calm"] / name).read_bytes() == (places["killed"] / name).read_bytes(), name
    rows = [
        [(row["step"], row["values"]) for row in event_log.metrics(place) if "train/loss" in row["values"]]
        for place in places.values()
    ]
    assert rows[0] == rows[1]
    assert any(row["event"] == "resume" for row in event_log.read(places["killed"]))


def kill_midway(process: subprocess.Popen[bytes], folder: Path) -> None:
    """All processes at once, when some rounds have ended."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        found = [event_log.metrics(path) for path in folder.glob("killed/*")]
        if any(sum("train/loss" in row["values"] for row in rows) >= 4 for rows in found):
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not list(folder.glob("killed/*/result.json"))


def test_joined_norms_are_refused_on_the_cpu(small: Compose, families: Families) -> None:
    """torch has them on GPUs alone."""

    def prepare() -> None:
        trial = small(*families["cnn"], "strategy=fine_tune", "hardware=ddp_cpu", "hardware.sync_batchnorm=true")
        apply_hardware_options(trial, build(trial))

    with pytest.raises(ConfigError, match=r"hardware\.sync_batchnorm"):
        prepare()
