"""What the hardware options change: memory, speed and precision, but not what is computed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import tlx
from tests.training.conftest import Compose, Families, Watch, differences, trained
from tlx.config.errors import ConfigError
from tlx.training.build import build
from tlx.training.locate import locate
from tlx.training.module import TrialModule

CHECKPOINTED = "hardware.gradient_checkpointing=true"
GRADUAL = ("strategy=gradual_unfreezing", "strategy.phases.1.expand.levels=2")


@pytest.mark.long
@pytest.mark.parametrize("family", ["vit", "bert"])
@pytest.mark.parametrize("strategy", [("strategy=fine_tune",), GRADUAL], ids=["fine_tune", "gradual_unfreezing"])
def test_gradient_checkpointing_changes_no_bit(
    small: Compose, families: Families, watch: Watch, family: str, strategy: tuple[str, ...]
) -> None:
    """BERT drops out, the same units when its activations are computed again."""
    words = (*families[family], *strategy)
    plain = trained(small(*words, "output=plain"))
    recomputed = trained(small(*words, "output=recomputed", CHECKPOINTED))
    assert not differences(recomputed, plain)
    half = len(watch.ends) // 2
    for one, two in zip(watch.ends[:half], watch.ends[half:], strict=True):
        assert not differences(one, two)


@pytest.mark.parametrize("family", ["cnn", "vit", "bert"])
def test_gradient_checkpointing_does_recompute(
    small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """The blocks are run twice in a training step. (A CNN whose norms stand still may do so too.)"""
    phases = "strategy.phases=[{train: ['stages[-2:]', head], freeze: [norm]}]"
    words = (*families[family], "strategy=fine_tune", phases, "strategy.budget=1 steps")
    assert _forwards(small(*words, CHECKPOINTED, "output=recomputed"), monkeypatch) == 2
    assert _forwards(small(*words, "output=plain"), monkeypatch) == 1


def _forwards(trial: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the last block's first layer is run within a training step and its backward."""
    count = 0
    step = TrialModule.training_step

    def counted(self: TrialModule, *args: Any) -> Any:
        nonlocal count
        name = next(stage.name for stage in reversed(self.stages) if stage.name != "head")
        block = self.model.get_submodule(f"backbone.{name}")
        layer = next(module for module in block.modules() if isinstance(module, (nn.Linear, nn.Conv2d)))

        def forward(*_: object) -> None:
            nonlocal count
            count += torch.is_grad_enabled()

        handle = layer.register_forward_pre_hook(forward)
        result = step(self, *args)
        monkeypatch.setattr(TrialModule, "on_before_optimizer_step", lambda *_: handle.remove())
        return result

    with monkeypatch.context() as patch:
        patch.setattr(TrialModule, "training_step", counted)
        tlx.train(trial)
    return count


def test_gradient_checkpointing_is_refused_where_norms_follow(small: Compose, families: Families) -> None:
    trial = small(*families["cnn"], "strategy=fine_tune", CHECKPOINTED)
    with pytest.raises(ConfigError, match="would see each batch twice"):
        tlx.train(trial)
    assert not locate(trial).path.exists()
    words = (*families["cnn"], "strategy=feature_extraction")
    plain = trained(small(*words, "output=plain"))
    assert not differences(trained(small(*words, "output=recomputed", CHECKPOINTED)), plain)


@pytest.mark.long
def test_a_compiled_network_learns_the_same(small: Compose, families: Families) -> None:
    """Two trainable sets, so two graphs at least."""
    shallow = (word.replace("depth=4", "depth=1") for word in families["vit"])
    words = (
        *shallow,
        "strategy=lp_ft",
        "strategy.optimizer.name=sgd",
        "strategy.budget=4 steps",
        "strategy.keep=last",
        "strategy.phases.1.restore=none",
    )
    torch._dynamo.reset()
    frames: Any = torch._dynamo.utils.counters["stats"]
    plain = trained(small(*words, "output=plain"))
    before = frames["unique_graphs"]
    compiled = trained(small(*words, "output=compiled", "hardware.compile=true"))
    assert frames["unique_graphs"] - before >= 2
    assert not differences(compiled, plain, 1e-4)


@pytest.mark.parametrize("strategy", ["bss", "delta", "egeria"])
def test_compilation_is_refused_where_activations_are_watched(
    small: Compose, families: Families, strategy: str
) -> None:
    """Compiled code does not call the hooks by which these look inside the network."""
    with pytest.raises(ConfigError, match=r"set hardware\.compile=false"):
        tlx.train(small(*families["vit"], f"strategy={strategy}", "hardware.compile=true"))


@pytest.mark.parametrize("family", ["cnn", "vit", "bert"])
def test_mixed_precision_keeps_the_weights_whole(
    small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    kinds: set[torch.dtype] = set()
    logits: set[torch.dtype] = set()
    step = TrialModule.on_before_optimizer_step

    def look(self: TrialModule, optimizer: Any) -> None:
        step(self, optimizer)
        held = [p for p in self.model.parameters() if p.requires_grad]
        kinds.update(p.dtype for p in held)
        kinds.update(p.grad.dtype for p in held if p.grad is not None)
        kinds.update(v.dtype for s in optimizer.state.values() for v in s.values() if torch.is_tensor(v))
        head = self.model.get_submodule("head")
        if not logits:
            head.register_forward_hook(lambda module, inputs, output: logits.add(output.dtype))

    monkeypatch.setattr(TrialModule, "on_before_optimizer_step", look)
    words = (*families[family], "strategy=lp_ft", "hardware.precision=bf16-mixed")
    state = trained(small(*words))
    assert kinds == {torch.float32}
    assert torch.bfloat16 in logits  # it did compute in half precision
    assert {t.dtype for t in state.values() if t.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("family", ["vit", "bert"])
def test_two_half_batches_are_one(small: Compose, families: Families, watch: Watch, family: str) -> None:
    """Also where a batch is of an odd size, as the last of an epoch may be."""
    words = (*families[family], "backbone.dropout=0", "strategy=lp_ft", "strategy.optimizer.name=sgd")
    words = (*words, "strategy.budget=12 steps", "strategy.keep=last", "strategy.lr=0.05", "strategy.backbone_lr=0.05")
    whole = small(*words, "output=whole")
    if family == "bert":
        assert len(build(whole).data.splits["train"]) % 16 % 2 == 1
    trained(whole)
    trained(small(*words, "output=halves", "hardware.accumulate=2"))
    half = len(watch.ends) // 2
    assert half == 2
    for one, two in zip(watch.ends[:half], watch.ends[half:], strict=True):
        assert not differences(two, one, 1e-6)
