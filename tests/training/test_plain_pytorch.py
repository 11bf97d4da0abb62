"""Trials against the same thing written by hand in Lightning and in plain PyTorch, bit for bit; and the rates used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

import tlx
from tests.training.conftest import Compose, Families, State, Watch, differences, trained
from tlx.config.schema import Trial
from tlx.training.build import build

HEAD, BODY, DECAY = 0.05, 0.005, 0.02
RATES = (f"strategy.lr={HEAD}", f"strategy.backbone_lr={BODY}", "strategy.schedule.shape=linear")


def optimizer_of(model: nn.Module, name: str, head: float, body: float) -> Optimizer:
    """Four groups: head and body, matrices with decay and vectors without."""
    groups = []
    for prefix, rate in (("head.", head), ("backbone.", body)):
        own = [parameter for title, parameter in model.named_parameters() if title.startswith(prefix)]
        groups.append({"params": [p for p in own if p.ndim > 1], "lr": rate, "weight_decay": DECAY})
        groups.append({"params": [p for p in own if p.ndim <= 1], "lr": rate, "weight_decay": 0.0})
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, fused=True)


def linear(step: int, steps: int) -> float:
    """A tenth of warm-up, then down to 0."""
    warm = round(0.1 * steps)
    return (step + 1) / warm if step < warm else 1 - (step - warm) / (steps - warm)


def images_of(trial: Trial, split: str) -> tuple[Tensor, Tensor]:
    examples = build(trial).data.examples[split]
    samples = [examples[(0, i)] for i in range(len(examples))]
    return torch.cat([s.inputs["image"] for s in samples]), torch.cat([s.targets["label"] for s in samples])


def rows_of(step: int) -> list[int]:
    """Of 40 examples in batches of 16, 16 and 8, shuffled anew in each epoch; seed 0."""
    epoch, position = divmod(step, 3)
    order = np.random.default_rng([0, epoch]).permutation(40)
    return [int(row) for row in order[16 * position : 16 * position + 16]]


class Plain(LightningModule):
    """What a person would write."""

    def __init__(self, model: nn.Module, name: str, steps: int) -> None:
        super().__init__()
        self.model, self.name, self.steps = model, name, steps

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x = batch[0].contiguous(memory_format=torch.channels_last)
        return F.cross_entropy(self.model({"image": x}), batch[1])

    def configure_optimizers(self) -> Any:
        optimizer = optimizer_of(self.model, self.name, HEAD, BODY)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: linear(step, self.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_fine_tune_is_a_plain_lightning_loop(small: Compose, families: Families, optimizer: str) -> None:
    words = (*families["cnn"], "strategy=fine_tune", *RATES, f"strategy.optimizer.name={optimizer}")
    trial = small(*words, "strategy.keep=last", "strategy.budget=10 steps")
    model = build(trial).module.model
    data = TensorDataset(*images_of(trial, "train"))
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = Trainer(max_epochs=1, accelerator="cpu", use_distributed_sampler=False, **quiet)  # type: ignore[arg-type]
    model.train()
    trainer.fit(Plain(model, optimizer, 10), DataLoader(data, batch_sampler=[rows_of(step) for step in range(10)]))
    assert not differences(trained(trial), model.state_dict())


def by_hand(trial: Trial, name: str) -> tuple[State, list[int]]:
    """LP-FT: six steps of the head, back to its best validation, six of everything at a tenth; the best of all.

    Also the validations, as steps, that were restored.
    """
    model, restored = build(trial).module.model, []
    images, labels = images_of(trial, "train")
    unseen, truth = images_of(trial, "val")
    unseen = unseen.contiguous(memory_format=torch.channels_last)
    best: tuple[int, int, State] = (-1, 0, {})
    for phase, scale in enumerate((1.0, 0.1)):
        of_phase: tuple[int, int, State] = (-1, 0, {})
        optimizer = optimizer_of(model, name, HEAD * scale, HEAD * scale)
        full = [group["lr"] for group in optimizer.param_groups]
        model.requires_grad_(phase == 1)
        model.get_submodule("head").requires_grad_(True)
        for step in range(6 * phase, 6 * phase + 6):
            model.train()
            model.get_submodule("backbone").train(phase == 1)
            for group, rate in zip(optimizer.param_groups, full, strict=True):
                group["lr"] = rate * linear(step - 6 * phase, 6)
            x = images[rows_of(step)].contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(model({"image": x}), labels[rows_of(step)]))
            optimizer.step()
            if step % 2 == 1:
                model.eval()
                with torch.no_grad():
                    right = int((model({"image": unseen}).argmax(1) == truth).sum())
                now = {title: tensor.clone() for title, tensor in model.state_dict().items()}
                of_phase = max(of_phase, (right, step + 1, now), key=lambda one: one[:2])
                best = max(best, (right, step + 1, now), key=lambda one: one[:2])
        if phase == 0:
            model.load_state_dict(of_phase[2])
            restored.append(of_phase[1])
    return best[2], [*restored, best[1]]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_lp_ft_is_the_same_by_hand(small: Compose, families: Families, optimizer: str) -> None:
    words = (*families["cnn"], "strategy=lp_ft", f"strategy.lr={HEAD}", f"strategy.backbone_lr={HEAD}")
    words = (*words, "strategy.schedule.shape=linear", f"strategy.optimizer.name={optimizer}")
    trial = small(*words, "strategy.budget=12 steps")
    expected, restored = by_hand(trial, optimizer)
    assert restored[0] < 6  # going back made a difference
    assert not differences(trained(trial), expected)


def rate_by_hand(name: str, step: int, shape: str, over: str) -> float:
    """lr 0.1 at the head, 0.02 below, halved with each stage; phases of 7 and 13 steps, the second with a warm-up."""
    found = [depth for depth, mark in enumerate(("layer1", "layer2", "layer3", "layer4", "head."), 1) if mark in name]
    depth = found[0] if found else 0
    rate = 0.1 if depth == 5 else 0.02 * 0.5 ** (5 - depth)
    start, length = (0, 7) if step < 7 else (7, 13)
    rate *= 0.5 if step < 7 else 3 if depth == 0 else 1
    entry = 1 if step < 7 else min(1, (step - 7 + 1) / 4)
    t, whole = (step, 20) if over == "run" else (step - start, length)
    warm = round(0.3 * whole)
    if shape == "slanted":
        up = t / warm if t < warm else 1 - (t - warm) / (whole - warm)
        return rate * entry * (1 / 32 + up * 31 / 32)
    if shape == "one_cycle":
        x, low, high = (t / whole / 0.3, 1 / 25, 1) if t / whole < 0.3 else ((t / whole - 0.3) / 0.7, 1, 1e-5)
        return rate * entry * (high + (low - high) * (1 + math.cos(math.pi * x)) / 2)
    if t < warm:
        return rate * entry * (t + 1) / warm
    left = (whole - t) / (whole - warm)
    return rate * entry * {"linear": left, "constant": 1, "cosine": (1 - math.cos(math.pi * left)) / 2}[shape]


@pytest.mark.parametrize(
    ("shape", "over"),
    [("cosine", "phase"), ("linear", "run"), ("constant", "phase"), ("slanted", "run"), ("one_cycle", "phase")],
)
def test_every_rate_at_every_step(small: Compose, families: Families, watch: Watch, shape: str, over: str) -> None:
    phases = "[{train: [head], until: 7 steps, lr_scale: 0.5}, {train: [all], lr_mult: {stem: 3}, warmup: 4 steps}]"
    words = [
        "strategy=fine_tune",
        "strategy.lr=0.1",
        "strategy.backbone_lr=0.02",
        "strategy.layer_decay=0.5",
        f"strategy.phases={phases}",
        f"strategy.schedule.shape={shape}",
        f"strategy.schedule.over={over}",
        "strategy.schedule.warmup=30%",
        "strategy.budget=20 steps",
        "strategy.validate_every=4 steps",
        "hardware.accumulate=2",
    ]
    tlx.train(small(*families["cnn"], *words))
    assert [step.number for step in watch.steps] == list(range(20))
    for step in watch.steps:
        for name, rate in step.rates.items():
            assert rate == pytest.approx(rate_by_hand(name, step.number, shape, over), rel=1e-9), (step.number, name)
