"""Small trials: seconds, one thread. Three families of networks, and a watch on every optimizer step."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig, BertModel, BertTokenizer

import tlx
from tests.backbones.conftest import TEXTS
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.training.build import TrialComponents, build
from tlx.training.locate import locate
from tlx.training.module import TrialModule

Compose = Callable[..., Trial]
State = dict[str, Tensor]
VIT = ("backbone=timm", "backbone.name=vit_tiny_patch16_224", "backbone.weights=none", "backbone.input.size=32")
VIT_SIZES = {"img_size": 32, "patch_size": 8, "depth": 4, "embed_dim": 32, "num_heads": 2}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def small() -> Compose:
    """A trial of a few steps; overrides on top."""

    def make(*overrides: str) -> Trial:
        base = [
            "backbone=narrow_resnet",
            "dataset=digits",
            "dataset.shots=4",
            "strategy.budget=6 steps",
            "strategy.batch_size=16",
            "strategy.validate_every=2 steps",
            "tracking=none",
            "hardware.threads=1",
        ]
        named = {word.split("=")[0] for word in overrides}
        words = [*(word for word in base if word.split("=")[0] not in named), *overrides]
        return tlx.compose(words)  # the same, without a quarter of a second of Hydra

    return make


Families = dict[str, tuple[str, ...]]


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Families:
    """What to say for a small CNN, ViT and BERT of five stages each before the head, with data.

    The CNN is as if pretrained: timm lets every residual branch end in a norm of weight 0, and behind that a
    branch's own layers have no gradient.
    """
    place = tmp_path_factory.mktemp("families")
    torch.manual_seed(0)
    cnn = timm.create_model("resnet18", layers=[1, 1, 1, 1], channels=[16, 32, 64, 128], in_chans=3, num_classes=0)
    state = {name: torch.ones_like(t) if re.search(r"bn2\.weight", name) else t for name, t in cnn.state_dict().items()}
    save_file(state, place / "cnn.safetensors")
    tokenizer = BertTokenizer().train_new_from_iterator(TEXTS, vocab_size=200)
    tokenizer.save_pretrained(place / "bert")
    sizes = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 37}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes)
    BertModel(config).save_pretrained(place / "bert")
    with (place / "texts.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [[" ".join(text.split()[: 3 + i % 9]), "abc"[i % 3]] for i, text in enumerate(TEXTS[:-2])]
        csv.writer(stream).writerows([["text", "label"], *rows])
    return {
        "cnn": (f"backbone.weights={place / 'cnn.safetensors'}",),
        "vit": (*VIT, *(f"+backbone.args.{name}={value}" for name, value in VIT_SIZES.items())),
        "bert": (
            "backbone=transformers",
            f"backbone.name={place / 'bert'}",
            "dataset=csv",
            f"dataset.file={place / 'texts.csv'}",
            "dataset.shots=null",
        ),
    }


@dataclass
class Step:
    """One optimizer step."""

    number: int  # from 0
    phase: int
    trains: frozenset[str]  # requires a gradient
    moved: frozenset[str]  # parameters and buffers whose bits changed
    rates: dict[str, float]  # of each parameter
    before: State
    after: State


@dataclass
class Watch:
    """Every optimizer step of the trials run in a test, and the last learner."""

    steps: list[Step] = field(default_factory=list)
    ends: list[State] = field(default_factory=list)  # at the end of each fit
    start: State = field(default_factory=dict)  # of the last trial, as it was built
    learner: TrialModule | None = None
    before: tuple[int, State] | None = None

    @property
    def model(self) -> State:
        """The model as it is after the trial."""
        assert self.learner is not None
        return self.learner.model.state_dict()


def copies(learner: TrialModule) -> State:
    return {name: tensor.detach().clone() for name, tensor in learner.model.state_dict().items()}


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Records every optimizer step from now on."""
    seen = Watch()
    start, end, over = TrialModule.on_train_batch_start, TrialModule.on_train_batch_end, TrialModule.on_train_end

    def built(trial: Trial) -> TrialComponents:
        parts = build(trial)
        seen.start = copies(parts.module)
        return parts

    def at_start(self: TrialModule, *args: object) -> None:
        start(self, *args)  # type: ignore[arg-type]
        seen.learner = self
        if seen.before is None:
            seen.before = int(self.trainer.global_step), copies(self)

    def at_end(self: TrialModule, *args: object) -> None:
        end(self, *args)  # type: ignore[arg-type]
        assert seen.before is not None
        number, before = seen.before
        if int(self.trainer.global_step) == number:
            return  # only accumulated
        after = copies(self)
        trains = frozenset(name for name, p in self.model.named_parameters() if p.requires_grad)
        moved = frozenset(name for name in after if not torch.equal(after[name], before[name]))
        groups = self.trainer.optimizers[0].param_groups
        rates = {name: float(group["lr"]) for group in groups for name in group["names"]}
        seen.steps.append(Step(number, self.state.phase.number, trains, moved, rates, before, after))
        seen.before = None

    def at_the_end(self: TrialModule) -> None:
        over(self)
        seen.ends.append(copies(self))

    monkeypatch.setattr("tlx.training.runner.build", built)
    monkeypatch.setattr(TrialModule, "on_train_batch_start", at_start)
    monkeypatch.setattr(TrialModule, "on_train_batch_end", at_end)
    monkeypatch.setattr(TrialModule, "on_train_end", at_the_end)
    return seen


def trained(trial: Trial) -> State:
    """The checkpoint of a trial, run now."""
    tlx.train(trial)
    return load_file(locate(trial).path / layout.CHECKPOINT)


def differences(one: State, other: State, allowed: float = 0.0) -> dict[str, float]:
    """How far apart the tensors are that are further apart than allowed (without: that have other bits)."""
    assert one.keys() == other.keys()
    far = {name: float((one[name].double() - other[name].double()).abs().max()) for name in one}
    return {name: d for name, d in far.items() if d > allowed or (allowed == 0 and not one[name].equal(other[name]))}


PHASES = """
import os, sys
import torch
import tlx
from tlx.training.checkpoint import whole
from tlx.training.module import TrialModule

ends, end = [], TrialModule.on_train_end

def on_train_end(self):
    end(self)
    ends.append({name: whole(tensor) for name, tensor in self.model.state_dict().items()})

TrialModule.on_train_end = on_train_end
try:
    tlx.train(tlx.compose(sys.argv[1:]))
finally:
    torch.save(ends, f"phases-{os.environ.get('LOCAL_RANK', '0')}.pt")
"""


def said(small: Compose, *overrides: str) -> list[str]:
    """The words of :func:`small`, for another process."""
    words: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tlx, "compose", lambda asked: words.extend(asked))
        small(*overrides)
    return [word for word in words if not (word.startswith("hardware.threads") and "hardware=ddp_cpu" in words)]


def run_program(folder: Path, text: str, *words: str) -> None:
    """Run a program in an interpreter of its own, as trials of several processes need."""
    import subprocess
    import sys

    (folder / "program.py").write_text(text)
    done = subprocess.run([sys.executable, "program.py", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
