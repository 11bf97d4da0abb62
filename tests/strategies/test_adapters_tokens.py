"""Prefixes and prompts: against a layer computed by hand, with padding and pooling, and where they cannot be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AlbertConfig, AlbertModel, BertConfig, BertModel, LlamaConfig, LlamaModel, T5Config, T5Model

from tests.backbones import bare
from tests.strategies.test_adapters import batch, build, insert, shaken
from tlx.backbones.families.transformers_texts import TextEncoder
from tlx.backbones.partition.stages import stages
from tlx.config.errors import ConfigError
from tlx.config.strategy_parts import Peft
from tlx.strategies.peft import adapters

TEXTS = ("bert", "roberta", "gpt2", "distilbert")
POSITIONS = {"bert": 0, "roberta": 2, "gpt2": 0, "distilbert": 0}
_SMALL: dict[str, Any] = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 8}


def wrapped(encoder: nn.Module, pooling: str = "mean") -> nn.Module:
    return bare.network(TextEncoder(encoder, pooling), 16, 3, bare.TEXT).eval()


def features(model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    out: Tensor = model.get_submodule("backbone")(input_ids=ids, attention_mask=mask)
    return out


def test_a_prefix_is_keys_and_values_before_those_of_the_words() -> None:
    torch.manual_seed(0)
    encoder: Any = BertModel(BertConfig(**_SMALL, num_hidden_layers=1), add_pooling_layer=False)
    model = wrapped(encoder, "mean")
    insert(model, "prefix", tokens=3)
    learned = encoder.prefix_tokens.values
    nn.init.normal_(learned)
    ids, mask = torch.randint(5, 50, (2, 6)), torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])

    layer, embedded = encoder.encoder.layer[0], encoder.embeddings(ids)
    own = layer.attention.self

    def heads(x: Tensor) -> Tensor:
        return x.view(2, -1, 2, 8).transpose(1, 2)

    keys = torch.cat([learned[0, 0].expand(2, -1, -1, -1), heads(own.key(embedded))], 2)
    values = torch.cat([learned[0, 1].expand(2, -1, -1, -1), heads(own.value(embedded))], 2)
    scores = heads(own.query(embedded)) @ keys.transpose(2, 3) / 8**0.5
    seen = torch.cat([torch.ones(2, 3), mask], 1).bool()
    context = scores.masked_fill(~seen[:, None, None], float("-inf")).softmax(-1) @ values
    attended = layer.attention.output(context.transpose(1, 2).reshape(2, 6, 16), embedded)
    states = layer.output(layer.intermediate(attended), attended)
    expected = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    torch.testing.assert_close(features(model, ids, mask), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", TEXTS)
def test_a_prompt_of_words_is_those_words_before_the_text(name: str) -> None:
    """With the text where it was, and all the prompt at the place of the first word."""
    model, plain = build(name), build(name)
    insert(model, "prompt", tokens=3)
    encoder: Any = model.get_submodule("backbone.encoder")
    other: Any = plain.get_submodule("backbone.encoder")
    words = torch.tensor([9, 7, 8])
    with torch.no_grad():
        encoder.prompt_tokens.values.copy_(encoder.get_input_embeddings().weight[words])
    data = batch(name)["text"]
    ids, mask = data["input_ids"], data["attention_mask"]
    first = POSITIONS[name]
    states = other(
        input_ids=torch.cat([words.expand(len(ids), -1), ids], 1),
        attention_mask=torch.cat([torch.ones(len(ids), 3, dtype=torch.long), mask], 1),
        position_ids=torch.tensor([[first] * 3 + [first + i for i in range(ids.shape[1])]]),
    ).last_hidden_state[:, 3:]
    pooling = {"bert": "mean", "roberta": "first", "gpt2": "last", "distilbert": "mean"}[name]
    pooled = {
        "first": states[:, 0],
        "last": states[torch.arange(len(ids)), mask.sum(1) - 1],
        "mean": (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True),
    }
    torch.testing.assert_close(features(model, ids, mask), pooled[pooling], atol=1e-5, rtol=1e-5)


def test_a_prompt_starts_as_words_of_the_vocabulary() -> None:
    model = build("bert")
    insert(model, "prompt", tokens=5)
    encoder: Any = model.get_submodule("backbone.encoder")
    table = encoder.get_input_embeddings().weight
    assert all(any(torch.equal(row, word) for word in table) for row in encoder.prompt_tokens.values)
    assert encoder.prompt_tokens.values.data_ptr() != table.data_ptr()


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_padding_changes_nothing(name: str, kind: str) -> None:
    if (name, kind) == ("distilbert", "prefix"):
        return
    model = build(name)
    insert(model, kind, tokens=3)
    shaken(model)
    ids = torch.randint(5, 50, (1, 5), generator=torch.Generator().manual_seed(0))
    padded, mask = torch.cat([ids, torch.full((1, 4), 3)], 1), torch.tensor([[1] * 5 + [0] * 4])
    alone = features(model, ids, torch.ones_like(ids))
    torch.testing.assert_close(features(model, padded, mask), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "kind"), [("bert", "prefix"), ("bert", "prompt"), ("gpt2", "prefix")])
def test_a_text_may_be_as_long_as_before(name: str, kind: str) -> None:
    model = build(name)
    insert(model, kind, tokens=8)
    ids = torch.randint(5, 50, (1, 24))  # all the positions there are
    assert features(model, ids, torch.ones_like(ids)).isfinite().all()


@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_a_rotary_decoder_with_shared_keys(kind: str) -> None:
    torch.manual_seed(0)
    model = wrapped(LlamaModel(LlamaConfig(**_SMALL, num_hidden_layers=2, num_key_value_heads=1)), "last")
    ids = torch.randint(5, 50, (2, 5))
    alone = features(model, ids, torch.ones_like(ids))
    insert(model, kind)
    out = features(shaken(model), ids, torch.ones_like(ids))
    assert not torch.allclose(out, alone)
    torch.autograd.backward(out.sum())
    own = dict(model.named_parameters())
    for name in adapters.names(model):
        gradient = own[name].grad
        assert gradient is not None
        assert gradient.any()


@pytest.mark.parametrize("name", ["cnn", "vit"])
@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_images_have_no_words(name: str, kind: str) -> None:
    with pytest.raises(ConfigError, match="this backbone reads none") as caught:
        insert(build(name), kind)
    assert (caught.value.problems[0].key, caught.value.problems[0].value) == ("strategy.peft.kind", kind)


def test_encoders_that_take_no_keys_and_values_are_refused() -> None:
    albert = AlbertModel(AlbertConfig(**_SMALL, embedding_size=8), add_pooling_layer=False)
    for model, name in ((build("distilbert"), "DistilBertModel"), (wrapped(albert), "AlbertModel")):
        with pytest.raises(ConfigError, match=f"{name} attends to nothing but its input.*prompt works"):
            insert(model, "prefix")
        assert insert(model, "prompt")
    t5 = wrapped(T5Model(T5Config(vocab_size=50, d_model=16, d_kv=8, num_heads=2, d_ff=8, num_layers=1)))
    for kind in ("prefix", "prompt"):
        with pytest.raises(ConfigError, match="T5Model has an encoder and a decoder"):
            adapters.insert(t5, stages(t5), Peft(kind=kind))


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_checkpointing_would_drop_a_prefix(name: str) -> None:
    model = build(name)
    insert(model, "prefix")
    encoder: Any = model.get_submodule("backbone.encoder")
    encoder.activation_checkpointing_enable()
    model(batch(name))
    model.train()
    with pytest.raises(ConfigError, match="drops the prefix"):
        model(batch(name))


@pytest.mark.parametrize(("name", "kind"), [("bert", "prefix"), ("bert", "prompt"), ("gpt2", "prefix")])
def test_in_half_precision(name: str, kind: str) -> None:
    model, data = build(name), batch(name)
    insert(model, kind)
    whole = model(data)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(model(data).float(), whole, atol=0.05, rtol=0.05)
    assert model.bfloat16()(data).dtype == torch.bfloat16
