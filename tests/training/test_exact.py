"""The engine against plain PyTorch, bit for bit, and against itself where two ways must be one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

import tlx
from tests.training.conftest import Compose
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.training.build import build
from tlx.training.locate import locate

PLAIN = ("strategy.schedule.shape=constant", "strategy.schedule.warmup=0%", "strategy.keep=last")


def trained(trial: Trial) -> dict[str, Tensor]:
    tlx.train(trial)
    return load_file(locate(trial).path / layout.CHECKPOINT)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_one_phase_is_a_plain_loop(small: Compose, optimizer: str) -> None:
    trial = small("strategy=scratch", f"strategy.optimizer.name={optimizer}", "strategy.lr=0.01", *PLAIN)
    model = build(trial).module.model  # the same seed, so the same start
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}]
    own: torch.optim.Optimizer
    if optimizer == "sgd":
        own = torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=True, fused=True)
    else:
        own = torch.optim.AdamW(groups, lr=0.01, fused=True)
    images, labels = _shots(trial)
    model.train()
    for step in range(6):
        epoch, position = divmod(step, 3)
        order = np.random.default_rng([trial.seed, epoch]).permutation(40)
        rows = order[[0, 16, 32][position] : [16, 32, 40][position]]
        own.zero_grad()
        x = images[rows].contiguous(memory_format=torch.channels_last)
        F.cross_entropy(model({"image": x}), labels[rows]).backward()  # type: ignore[no-untyped-call]
        own.step()
    state = trained(trial)
    for name, parameter in model.named_parameters():
        assert torch.equal(state[name], parameter.detach()), name


def _shots(trial: Trial) -> tuple[Tensor, Tensor]:
    data = build(trial).data
    examples = data.examples["train"]
    samples = [examples[(0, i)] for i in range(len(examples))]
    return torch.cat([s.inputs["image"] for s in samples]), torch.cat([s.targets["label"] for s in samples])


def test_two_phases_of_the_same_set_are_one(small: Compose) -> None:
    one = small("strategy=scratch", *PLAIN)
    two = small("strategy=scratch", *PLAIN, "strategy.phases=[{train: [all], until: 3 steps}, {train: [all]}]")
    assert same(trained(one), trained(two))  # so the optimizer's state was carried over


def test_resetting_the_optimizer_is_not_the_same(small: Compose) -> None:
    one = small("strategy=scratch", *PLAIN)
    phases = "[{train: [all], until: 3 steps}, {train: [all], optimizer_state: reset}]"
    assert not same(trained(one), trained(small("strategy=scratch", *PLAIN, f"strategy.phases={phases}")))


def test_a_phase_may_end_anywhere(small: Compose) -> None:
    """Ends off the validation grid neither skip nor repeat a batch."""
    one = small("strategy=scratch", *PLAIN, "strategy.validate_every=1 steps")
    two = small("strategy=scratch", *PLAIN, "strategy.validate_every=4 steps")
    assert same(trained(one), trained(two))


def test_frozen_stages_stand_still(small: Compose) -> None:
    trial = small("strategy=scratch", "strategy.phases=[{train: [head, 'stages[-1]']}]")
    start = {name: t.clone() for name, t in build(trial).module.model.state_dict().items()}
    state = trained(trial)
    for name, tensor in state.items():
        moves = name.startswith(("head.", "backbone.layer4."))
        assert torch.equal(tensor, start[name]) != moves, name


@pytest.mark.parametrize("augment", ["shift", "flip_crop"])
def test_workers_do_not_change_anything(small: Compose, augment: str) -> None:
    states = []
    for workers in (0, 2):
        words = (f"output=workers{workers}", f"hardware.workers={workers}", f"dataset.augment={augment}")
        states.append(trained(small("strategy=scratch", "strategy.budget=3 steps", *words)))
    assert same(*states)


def test_accumulation_is_the_whole_batch(small: Compose) -> None:
    """Without norm layers two half batches are one batch, to rounding."""
    words = ("backbone=pixels", "strategy=feature_extraction", *PLAIN, "strategy.batch_size=20")
    whole = trained(small(*words, "output=whole"))
    halves = trained(small(*words, "output=halves", "hardware.accumulate=2"))
    for name in whole:
        torch.testing.assert_close(halves[name], whole[name], rtol=1e-5, atol=1e-6)


def test_the_same_trial_twice_is_the_same_file(small: Compose) -> None:
    files: list[bytes] = []
    for output in ("one", "two"):
        trial = small("strategy=lp_ft", f"output={output}")
        tlx.train(trial)
        files.append(Path(locate(trial).path / layout.CHECKPOINT).read_bytes())
    assert files[0] == files[1]
