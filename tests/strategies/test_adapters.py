"""What holds for every kind of PEFT on every network it works with, and the networks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2Model,
    RobertaConfig,
    RobertaModel,
)

from tests.backbones import bare
from tlx.backbones.families.transformers_texts import TextEncoder
from tlx.backbones.partition.stages import stages, verify
from tlx.config.errors import ConfigError
from tlx.config.strategy_parts import Peft
from tlx.strategies.freezing import audit, checksums, freeze
from tlx.strategies.peft import adapters

_TINY: dict[str, Any] = {"vocab_size": 50, "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32}
_SIZES = {"intermediate_size": 37, "max_position_embeddings": 24}
_ENDS = {"bos_token_id": 1, "eos_token_id": 1}
_SWIN: dict[str, Any] = {"img_size": 56, "embed_dim": 16, "depths": (2, 1), "num_heads": (1, 2)}
BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "cnn": lambda: timm.create_model("test_resnet", num_classes=0, zero_init_last=False),
    "vit": lambda: timm.create_model("test_vit", num_classes=0),
    "swin": lambda: timm.create_model("swin_tiny_patch4_window7_224", num_classes=0, **_SWIN),
    "convnext": lambda: timm.create_model("test_convnext", num_classes=0),
    "bert": lambda: TextEncoder(BertModel(BertConfig(**_TINY, **_SIZES), add_pooling_layer=False), "mean"),
    "roberta": lambda: TextEncoder(RobertaModel(RobertaConfig(**_TINY, **_SIZES), add_pooling_layer=False), "first"),
    "distilbert": lambda: TextEncoder(
        DistilBertModel(
            DistilBertConfig(vocab_size=50, dim=32, n_layers=2, n_heads=2, hidden_dim=37, max_position_embeddings=24)
        ),
        "mean",
    ),
    "gpt2": lambda: TextEncoder(
        GPT2Model(GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=2, n_positions=24, **_ENDS)), "last"
    ),
}
IMAGES = ("cnn", "vit", "swin", "convnext")
MERGED = ("lora", "dora", "ia3")
WORKS = [(name, kind) for name in BACKBONES for kind in (*MERGED, "bottleneck")]
WORKS += [(name, "prompt") for name in BACKBONES if name not in IMAGES]
WORKS += [(name, "prefix") for name in ("bert", "roberta", "gpt2")]
everywhere = pytest.mark.parametrize(("name", "kind"), WORKS)


def build(name: str, seed: int = 0) -> nn.Module:
    """The network with a head of three classes, in eval mode."""
    torch.manual_seed(seed)
    backbone = BACKBONES[name]()
    spec = bare.images(side(name)) if name in IMAGES else bare.TEXT
    return bare.network(backbone, int(getattr(backbone, "num_features", 32)), 3, spec).eval()


def side(name: str) -> int:
    """Of its images, in pixels."""
    return 56 if name == "swin" else 96


def batch(name: str, size: int = 4) -> dict[str, Any]:
    """What the network reads of some examples."""
    draw = torch.Generator().manual_seed(1)
    if name in IMAGES:
        return {"image": torch.randn(size, 3, side(name), side(name), generator=draw)}
    mask = (torch.arange(7) < torch.tensor([7, 4, 6, 5, 3, 2])[:size, None]).long()
    return {"text": {"input_ids": torch.randint(5, 50, (size, 7), generator=draw), "attention_mask": mask}}


def insert(model: nn.Module, kind: str, **options: Any) -> list[Any]:
    torch.manual_seed(5)
    return adapters.insert(model, stages(model), Peft(**{"kind": kind, "rank": 4, "tokens": 3, **options}))


def train(model: nn.Module, data: dict[str, Any], steps: int = 3) -> None:
    """SGD on whatever requires a gradient."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        logits = model(data)
        torch.autograd.backward(F.cross_entropy(logits, torch.arange(len(logits)) % 3))
        optimizer.step()


def shaken(model: nn.Module) -> nn.Module:
    """The model with what was put in moved, as if trained."""
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name in sorted(adapters.names(model)):
            own[name].add_(0.1 * torch.randn(own[name].shape, generator=torch.Generator().manual_seed(len(name))))
    return model


@everywhere
def test_stages_stay_and_hold_what_was_put_in(name: str, kind: str) -> None:
    model = build(name)
    next(model.parameters()).requires_grad_(False)
    before = stages(model)
    held = [[id(parameter) for parameter in stage.parameters()] for stage in before]
    keys, alone = set(model.state_dict()), model(batch(name))
    after = insert(model, kind)
    verify(model, after)
    assert [(stage.name, stage.tower) for stage in after] == [(stage.name, stage.tower) for stage in before]
    old = {parameter for stage in held for parameter in stage}
    new = {n for n, parameter in model.named_parameters() if id(parameter) not in old}
    assert adapters.names(model) == new
    assert new
    for stage, parameters in zip(after, held, strict=True):
        assert [id(parameter) for parameter in stage.parameters()][: len(parameters)] == parameters
    for n in new if kind not in ("prefix", "prompt") else ():  # beside its neighbours
        path = n.partition(".lora_")[0].partition(".ia3_")[0].partition(".bottleneck_")[0]
        mine = next(stage for stage in after if n in stage.names)
        assert any(other.startswith(f"{path}.") and other not in new for other in mine.names)
    if kind in ("prefix", "prompt"):
        assert new <= set(after[0].names)
    assert [p.requires_grad for p in model.parameters()].count(False) == 1  # the one that was frozen before
    assert keys <= {key.replace(".base_layer", "") for key in model.state_dict()}
    change = (model(batch(name)) - alone).abs().max()
    assert change > 1e-5 if kind in ("prefix", "prompt") else change <= 1e-6


@everywhere
def test_training_moves_what_was_put_in_and_nothing_else(name: str, kind: str) -> None:
    model = build(name)
    cut = insert(model, kind, dropout=0.1 if kind in ("lora", "dora", "bottleneck") else 0.0)
    trainable = adapters.names(model) | frozenset(cut[-1].names)
    freeze(model, trainable)
    before, start = checksums(model), copy.deepcopy(model.state_dict())
    train(model, batch(name, 6))
    audit(model, before)
    moved = {key for key, tensor in model.state_dict().items() if not torch.equal(tensor, start[key])}
    assert moved == trainable


@pytest.mark.parametrize("name", list(BACKBONES))
@pytest.mark.parametrize("kind", MERGED)
def test_merging_keeps_the_outputs_and_restores_the_network(name: str, kind: str) -> None:
    model, data = build(name), batch(name)
    keys, kinds, alone = list(model.state_dict()), [type(m) for m in model.modules()], model(data)
    tensors = [id(parameter) for parameter in model.parameters()]
    insert(model, kind)
    trained = shaken(model)(data)
    assert (trained - alone).abs().max() > 1e-4
    assert adapters.merge(model) is model
    assert not hasattr(model.get_submodule("backbone"), "peft_config")
    torch.testing.assert_close(model(data), trained, atol=1e-5, rtol=1e-5)
    assert list(model.state_dict()) == keys
    assert [type(m) for m in model.modules()] == kinds
    assert [id(parameter) for parameter in model.parameters()] == tensors
    assert adapters.names(model) == frozenset()
    verify(model, stages(model))


@pytest.mark.parametrize("kind", ["bottleneck", "prefix", "prompt"])
def test_what_no_weight_can_hold_is_not_merged(kind: str) -> None:
    model = build("bert")
    insert(model, kind)
    with pytest.raises(ConfigError, match=rf"strategy\.peft\.kind = {kind} +cannot be merged"):
        adapters.merge(model)


@pytest.mark.parametrize(
    ("name", "kind"), [*(("swin", kind) for kind in (*MERGED, "bottleneck")), ("gpt2", "prefix"), ("bert", "prompt")]
)
def test_the_state_of_one_loads_into_another(name: str, kind: str) -> None:
    one, other = build(name), build(name, seed=7)
    insert(one, kind)
    insert(other, kind)
    other.load_state_dict(shaken(one).state_dict())
    assert torch.equal(one(batch(name)), other(batch(name)))


@everywhere
def test_a_plan_without_memory_is_the_same(name: str, kind: str) -> None:
    real = build(name)
    with torch.device("meta"):
        model = build(name)
        planned = insert(model, kind)
    assert [stage.names for stage in planned] == [stage.names for stage in insert(real, kind)]
    assert all(tensor.is_meta for tensor in model.parameters())
    shapes = {key: tensor.shape for key, tensor in real.state_dict().items()}
    assert {key: tensor.shape for key, tensor in model.state_dict().items()} == shapes


@pytest.mark.parametrize(
    ("name", "kind"), [("cnn", "dora"), ("vit", "bottleneck"), ("gpt2", "prefix"), ("bert", "prompt")]
)
def test_the_seed_decides_the_start(name: str, kind: str) -> None:
    one, other = build(name), build(name)
    insert(one, kind)
    insert(other, kind)
    state = other.state_dict()
    assert all(torch.equal(tensor, state[key]) for key, tensor in one.state_dict().items())


@pytest.mark.parametrize(("name", "kind"), [("vit", "lora"), ("swin", "bottleneck"), ("gpt2", "prefix")])
def test_a_copy_has_parts_of_its_own(name: str, kind: str) -> None:
    model, data = build(name), batch(name)
    insert(model, kind)
    twin = shaken(copy.deepcopy(model))
    before = model(data)
    assert not torch.allclose(twin(data), before)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(data), before)


def test_stages_of_any_cut_are_kept() -> None:
    model = build("bert")
    cut = stages(model, explicit=["embeddings", "layer.1", "layer.0"])
    after = adapters.insert(model, cut, Peft(kind="lora"))
    verify(model, after)
    assert [stage.name for stage in after] == [stage.name for stage in cut]
    assert any("layer.1.attention.self.query.lora_A" in name for name in after[1].names)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"kind": "lora", "rank": 0}, "rank"),
        ({"kind": "prompt", "tokens": 0}, "tokens"),
        ({"kind": "ia3", "dropout": 0.1}, "dropout"),
        ({"kind": "prefix", "target": ["query"]}, "target"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"strategy\.peft\.{key} = "):
        insert(build("bert"), **options)
