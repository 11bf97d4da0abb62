"""What is put into a network, against the peft library's own models: outputs, and the weights after a step."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import peft
import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, LlamaConfig, LlamaModel, PreTrainedModel

from tests.backbones import bare
from tlx.backbones.families.transformers_texts import TextEncoder
from tlx.backbones.partition.stages import stages
from tlx.config.strategy_parts import Peft
from tlx.strategies.peft import adapters

TOKENS, RANK, LAYERS, HEADS, WIDTH = 3, 4, 2, 2, 16
SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 8,
    "max_position_embeddings": 24,
}
IDS = torch.randint(5, 50, (3, 6), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1] * 6, [1] * 4 + [0] * 2, [1] * 5 + [0]])
LINEARS = ["query", "key", "value", "dense"]


def bert() -> PreTrainedModel:
    return BertModel(BertConfig(**SIZES), add_pooling_layer=False)


def llama() -> PreTrainedModel:
    return LlamaModel(LlamaConfig(**SIZES))


def gpt2() -> PreTrainedModel:
    sizes = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": 24, "bos_token_id": 1}
    return GPT2Model(GPT2Config(vocab_size=50, eos_token_id=1, **sizes))


def with_parts(encoder: nn.Module, **options: Any) -> nn.Module:
    """The encoder with parts that tlx puts into it."""
    model = bare.network(TextEncoder(encoder, "mean"), WIDTH, 3, bare.TEXT).eval()
    adapters.insert(model, stages(model), Peft(rank=RANK, tokens=TOKENS, **options))
    return model.get_submodule("backbone.encoder")


def stepped(encoder: nn.Module, own: Mapping[str, Tensor]) -> Tensor:
    """The states [texts, words, width] after a step of SGD on these parameters, where before them the weights are."""

    def states() -> Tensor:
        found: Tensor = encoder(input_ids=IDS, attention_mask=MASK).last_hidden_state
        return found

    torch.autograd.backward((states() * MASK[..., None]).pow(2).sum(), inputs=list(own.values()))
    torch.optim.SGD(own.values(), lr=0.05).step()
    return states().detach()


def alike(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "config"),
    [
        ({"kind": "lora", "alpha": 8.0}, peft.LoraConfig(r=RANK, lora_alpha=8, target_modules=LINEARS)),
        ({"kind": "dora", "alpha": 8.0}, peft.LoraConfig(r=RANK, lora_alpha=8, target_modules=LINEARS, use_dora=True)),
        (
            {"kind": "ia3"},  # keys, values, and what goes into the second layer of each feed-forward
            peft.IA3Config(
                target_modules=r".*\.(key|value)|.*layer\.\d\.output\.dense",
                feedforward_modules=r".*layer\.\d\.output\.dense",
            ),
        ),
    ],
    ids=["lora", "dora", "ia3"],
)
def test_parts_in_layers(options: dict[str, Any], config: peft.PeftConfig) -> None:
    torch.manual_seed(0)
    encoder = bert()
    library: Any = peft.get_peft_model(copy.deepcopy(encoder), config).eval()
    own = with_parts(encoder, **options)
    theirs = {name.removeprefix("base_model.model."): p for name, p in library.named_parameters() if p.requires_grad}
    mine = {name: p for name, p in own.named_parameters() if name in theirs}
    assert mine.keys() == theirs.keys()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in theirs.items():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw))
            mine[name].copy_(parameter)
    alike(own(input_ids=IDS, attention_mask=MASK)[0], library(input_ids=IDS, attention_mask=MASK)[0])
    alike(stepped(own, mine), stepped(library, theirs))
    for name, parameter in theirs.items():
        alike(mine[name], parameter)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_prefix(name: str) -> None:
    """peft counts the positions of words from behind the prefix: its table of positions begins as much earlier."""
    torch.manual_seed(0)
    encoder = llama() if name == "llama" else gpt2()
    shifted = copy.deepcopy(encoder)
    if name == "gpt2":
        table: Any = shifted.get_submodule("wpe")
        table.weight = nn.Parameter(table.weight.detach().roll(TOKENS, 0))
    config = peft.PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=TOKENS)
    library: Any = peft.get_peft_model(shifted, config).eval()
    own = with_parts(encoder, kind="prefix")
    (theirs,) = (p for p in library.parameters() if p.requires_grad)  # [tokens, layers * 2 * width]
    mine = own.get_parameter("prefix_tokens.values")  # [layers, 2, heads, tokens, width of a head]

    def in_order(values: Tensor) -> Tensor:
        return values.detach().view(TOKENS, LAYERS, 2, HEADS, WIDTH // HEADS).permute(1, 2, 3, 0, 4)

    with torch.no_grad():
        mine.copy_(in_order(theirs))
    alike(own(input_ids=IDS, attention_mask=MASK)[0], library(input_ids=IDS, attention_mask=MASK)[0])
    alike(stepped(own, {"values": mine}), stepped(library, {"values": theirs}))
    alike(mine, in_order(theirs))
