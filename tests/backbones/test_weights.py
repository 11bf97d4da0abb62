"""Weights of a file or folder, however they were saved, load bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from pytorch_lightning import LightningModule, Trainer
from safetensors.torch import save_file
from torch import nn

from tests.backbones import bare
from tests.backbones.conftest import NAME, State, counted, prefixed, read
from tlx.backbones.load import load
from tlx.config.backbone import Input, TimmBackbone


def lightning(state: State, path: Path) -> None:
    """A checkpoint as Lightning writes it."""

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            backbone: nn.Module = timm.create_model(NAME, num_classes=0)
            backbone.load_state_dict(state)
            self.model = bare.network(backbone, int(backbone.num_features), 5)  # type: ignore[arg-type]
            self.save_hyperparameters({"lr": 0.1})

    trainer = Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(Module())
    trainer.save_checkpoint(path, weights_only=True)


FORMS: dict[str, Callable[[State], None]] = {
    "plain.pth": lambda s: torch.save(s, "plain.pth"),
    "plain.pt": lambda s: torch.save({"model": s, "epoch": 3}, "plain.pt"),
    "inner.pth": lambda s: torch.save({"state_dict": s}, "inner.pth"),
    "other.pth": lambda s: torch.save({"model_state_dict": s}, "other.pth"),
    "plain.safetensors": lambda s: save_file(s, "plain.safetensors"),
    "last.ckpt": lambda s: lightning(s, Path("last.ckpt")),
    "ddp.pth": lambda s: torch.save({"state_dict": prefixed(s, "module.")}, "ddp.pth"),
    "compiled.pth": lambda s: torch.save(prefixed(s, "_orig_mod."), "compiled.pth"),
    "with_head.pth": lambda s: torch.save(
        {**s, "fc.weight": torch.ones(9, 4), "fc.bias": torch.ones(9)}, "with_head.pth"
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_loads_bit_by_bit(form: str, state: State) -> None:
    FORMS[form](state)
    loaded = read(form)
    own = loaded.module.state_dict()
    assert [name for name in state if not torch.equal(own[name], state[name])] == []
    assert loaded.match is not None
    assert (loaded.match.matched, loaded.match.total) == (len(counted(state)),) * 2
    assert loaded.match.missing == ()


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "model.pth", "other_name.safetensors"])
def test_a_folder_is_searched(file: str, state: State) -> None:
    Path("weights").mkdir()
    save_file(state, f"weights/{file}") if file.endswith("safetensors") else torch.save(state, f"weights/{file}")
    own = read("weights").module.state_dict()
    assert [name for name in state if not torch.equal(own[name], state[name])] == []


def test_half_precision_becomes_single(state: State) -> None:
    half = {name: tensor.bfloat16() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    save_file(half, "half.safetensors")
    own = read("half.safetensors").module.state_dict()
    assert {tensor.dtype for tensor in own.values()} == {torch.float32, torch.int64}
    assert [name for name in counted(state) if not torch.equal(own[name], half[name].float())] == []


def test_an_explicit_prefix_chooses_between_two_networks(state: State) -> None:
    other = {name: tensor + 1 for name, tensor in state.items()}
    torch.save({**prefixed(state, "student."), **prefixed(other, "teacher.")}, "two.pth")
    own = read("two.pth", "teacher.").module.state_dict()
    assert [name for name in other if not torch.equal(own[name], other[name])] == []


def test_position_embeddings_are_resampled_for_another_size() -> None:
    torch.manual_seed(0)
    torch.save(timm.create_model("test_vit").state_dict(), "vit.pth")
    config = TimmBackbone(name="test_vit", weights="vit.pth", input=Input(size=96))
    ours = load(config).module.state_dict()
    overlay = {"file": "vit.pth"}
    model = timm.create_model("test_vit", pretrained=True, pretrained_cfg_overlay=overlay, img_size=96, num_classes=0)
    assert ours["pos_embed"].shape != torch.load("vit.pth")["pos_embed"].shape
    assert [n for n, tensor in model.state_dict().items() if not torch.equal(ours[n], tensor)] == []
