"""Weights of a file or folder, however they were saved, load bit by bit; what does not fit is refused and counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from pytorch_lightning import LightningModule, Trainer
from safetensors.torch import save_file
from torch import Tensor, nn

from tlx.backbones.load import Loaded, load
from tlx.backbones.options import Input, TimmBackbone
from tlx.config.errors import WeightsError
from tlx.tasks.classification import Classifier

State = dict[str, Tensor]
NAME = "test_resnet.r160_in1k"


@pytest.fixture(scope="module")
def state() -> State:
    """A test ResNet with random weights and statistics, without its classifier."""
    torch.manual_seed(3)
    model = timm.create_model(NAME, num_classes=0)
    for name, tensor in model.state_dict().items():
        if name.endswith(("running_mean", "running_var", "bias")):
            tensor.uniform_(0.5, 1.5)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def read(weights: str, prefix: str | None = None, name: str = NAME) -> Loaded:
    """The backbone with the weights named."""
    return load(TimmBackbone(name=name, weights=weights, weights_prefix=prefix))


def refused(weights: str, prefix: str | None = None) -> dict[str, str]:
    """The problems of weights that are refused, by key."""
    with pytest.raises(WeightsError) as caught:
        read(weights, prefix)
    return {problem.key: problem.message for problem in caught.value.problems}


def counted(state: State) -> list[str]:
    """The tensors that count: all but the step counters of BatchNorm."""
    return [name for name in state if not name.endswith("num_batches_tracked")]


def lightning(state: State, path: Path) -> None:
    """A checkpoint as Lightning writes it."""

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            backbone: nn.Module = timm.create_model(NAME, num_classes=0)
            backbone.load_state_dict(state)
            self.model = Classifier(backbone, int(backbone.num_features), 5)  # type: ignore[arg-type]
            self.save_hyperparameters({"lr": 0.1})

    trainer = Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(Module())
    trainer.save_checkpoint(path, weights_only=True)


def prefixed(state: State, prefix: str) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


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


def test_another_architecture_is_refused_with_the_count(state: State) -> None:
    torch.save(timm.create_model("test_vit").state_dict(), "vit.pth")
    problems = refused("vit.pth")
    assert problems["backbone.weights"].startswith(f"0 of {len(counted(state))} tensors fit (0%)")
    assert "conv1.0.weight" in problems["missing"]
    assert "cls_token" in problems["unexpected"]


def test_another_size_is_refused_with_the_shapes(state: State) -> None:
    other = {n: torch.cat([t, t]) if t.ndim else t for n, t in state.items()}
    torch.save(other, "wide.pth")
    problems = refused("wide.pth")
    assert problems["shapes"].startswith(f"{len(counted(state))} differ")
    assert f"{list(state['conv1.0.weight'].shape)} here" in problems["shapes"]


def test_an_unknown_prefix_is_suggested_and_works_when_given(state: State) -> None:
    torch.save({**prefixed(state, "student.trunk."), "teacher.weight": torch.ones(2)}, "named.pth")
    assert "backbone.weights_prefix=student.trunk." in refused("named.pth")["prefix"]
    loaded = read("named.pth", "student.trunk.")
    assert [n for n in state if not torch.equal(loaded.module.state_dict()[n], state[n])] == []
    assert "no tensor name begins with it" in refused("named.pth", "pupil.")["backbone.weights_prefix"]


def test_an_explicit_prefix_chooses_between_two_networks(state: State) -> None:
    other = {name: tensor + 1 for name, tensor in state.items()}
    torch.save({**prefixed(state, "student."), **prefixed(other, "teacher.")}, "two.pth")
    own = read("two.pth", "teacher.").module.state_dict()
    assert [name for name in other if not torch.equal(own[name], other[name])] == []


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"not weights at all", b"PK\x03\x04 a torn archive"])
@pytest.mark.parametrize("file", ["broken.pth", "broken.safetensors"])
def test_an_unreadable_file_is_an_error_of_the_weights(file: str, content: bytes) -> None:
    Path(file).write_bytes(content)
    assert list(refused(file)) == ["backbone.weights"]


def test_pickled_objects_are_refused_and_not_run(state: State) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (Path("exploded"),)

    torch.save({"state_dict": state, "extra": Bomb()}, "bomb.pth")
    assert "pickled objects are refused" in refused("bomb.pth")["backbone.weights"]
    torch.save(timm.create_model(NAME), "whole.pth")
    assert "pickled objects are refused" in refused("whole.pth")["backbone.weights"]
    assert not Path("exploded").exists()


def test_nothing_there_is_said() -> None:
    assert "no such file or folder" in refused("nowhere.pth")["backbone.weights"]
    Path("hollow").mkdir()
    assert "model.safetensors" in refused("hollow")["backbone.weights"]
    torch.save({"epoch": 3}, "words.pth")
    assert "no tensors" in refused("words.pth")["backbone.weights"]


def test_a_few_missing_tensors_are_accepted_and_listed_more_are_not(state: State) -> None:
    names = counted(state)
    most = math.floor(0.05 * len(names))  # 95 % must fit
    torch.save({n: t for n, t in state.items() if n not in names[-most:]}, "most.pth")
    match = read("most.pth").match
    assert match is not None
    assert (match.matched, match.total, match.missing) == (len(names) - most, len(names), tuple(names[-most:]))
    torch.save({n: t for n, t in state.items() if n not in names[-most - 1 :]}, "few.pth")
    problems = refused("few.pth")
    assert problems["backbone.weights"].startswith(f"{len(names) - most - 1} of {len(names)} tensors fit")
    assert names[-1] in problems["missing"]


def test_position_embeddings_are_resampled_for_another_size() -> None:
    torch.manual_seed(0)
    torch.save(timm.create_model("test_vit").state_dict(), "vit.pth")
    config = TimmBackbone(name="test_vit", weights="vit.pth", input=Input(size=96))
    ours = load(config).module.state_dict()
    overlay = {"file": "vit.pth"}
    model = timm.create_model("test_vit", pretrained=True, pretrained_cfg_overlay=overlay, img_size=96, num_classes=0)
    assert ours["pos_embed"].shape != torch.load("vit.pth")["pos_embed"].shape
    assert [n for n, tensor in model.state_dict().items() if not torch.equal(ours[n], tensor)] == []
