"""Text backbones: every tensor is loaded, in single precision, and padding changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from tlx.backbones.backbone import Backbone
from tlx.backbones.load import load
from tlx.columns.input_spec import TextSpec
from tlx.config.backbone import TransformersBackbone

SHORT, LONG = "the small network", "the backbone of a small network carries what was learned before"


def read(folder: Path, **options: Any) -> Backbone:
    return load(TransformersBackbone(name=str(folder), **options))


def spec(loaded: Backbone) -> TextSpec:
    (taken,) = loaded.takes.values()
    assert isinstance(taken, TextSpec)
    return taken


def features(loaded: Backbone, texts: list[str], junk: int = 0) -> Tensor:
    """Features of texts padded to the longest, and further still with ``junk`` tokens under the mask."""
    ids: list[list[int]] = spec(loaded).tokenizer(texts)["input_ids"]
    longest = max(map(len, ids)) + junk
    padded = torch.tensor([one + [spec(loaded).pad_id] * (longest - len(one)) for one in ids])
    mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in ids])
    with torch.no_grad():
        pooled: Tensor = loaded.module.eval()(input_ids=padded, attention_mask=mask)
    return pooled


def states(folder: Path, text: str) -> Tensor:
    """The oracle: token states [tokens, width] of one text alone, by transformers itself."""
    ids = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        one: Tensor = AutoModel.from_pretrained(folder).eval()(input_ids=ids).last_hidden_state[0]
    return one


def copy(source: Path, target: Path, model: nn.Module | None = None) -> Path:
    """The folder again, with another model inside."""
    shutil.copytree(source, target)
    if model is not None:
        (target / "model.safetensors").unlink()
        model.save_pretrained(target)  # type: ignore[operator]
    return target


def test_every_tensor_of_a_folder_is_matched(bert_folder: Path) -> None:
    loaded = read(bert_folder)
    assert loaded.match is not None
    stored = load_file(bert_folder / "model.safetensors")
    used = {name for name in stored if not name.startswith("pooler.")}
    assert (loaded.match.matched, loaded.match.total, loaded.match.missing) == (len(used), len(used), ())
    own = loaded.module.encoder.state_dict()  # type: ignore[union-attr]
    assert [name for name in used if not torch.equal(own[name], stored[name])] == []
    assert loaded.width == 32


@pytest.mark.parametrize(("pooling", "rows"), [("auto", slice(None)), ("mean", slice(None)), ("first", slice(1)), ("last", slice(-1, None))])  # fmt: skip  # noqa: E501
def test_an_encoder_pools_real_tokens_only(bert_folder: Path, pooling: str, rows: slice) -> None:
    padded = features(read(bert_folder, pooling=pooling), [SHORT, LONG], junk=3)
    for text, got in zip([SHORT, LONG], padded, strict=True):
        torch.testing.assert_close(got, states(bert_folder, text)[rows].mean(0), rtol=1e-4, atol=1e-5)


def test_a_decoder_pools_its_last_real_token(gpt2_folder: Path) -> None:
    padded = features(read(gpt2_folder), [SHORT, LONG], junk=3)
    for text, got in zip([SHORT, LONG], padded, strict=True):
        torch.testing.assert_close(got, states(gpt2_folder, text)[-1], rtol=1e-4, atol=1e-5)


def test_a_tokenizer_without_a_padding_token_gets_one(gpt2_folder: Path) -> None:
    given = spec(read(gpt2_folder))
    assert given.pad_id == given.tokenizer.eos_token_id


def test_random_weights_when_asked(bert_folder: Path) -> None:
    loaded = read(bert_folder, weights="none")
    stored = load_file(bert_folder / "model.safetensors")
    assert loaded.match is None
    table = loaded.module.get_parameter("encoder.embeddings.word_embeddings.weight")
    assert not torch.equal(table, stored["embeddings.word_embeddings.weight"])


def test_half_precision_becomes_single(bert_folder: Path, folder: Path) -> None:
    half = AutoModel.from_pretrained(bert_folder).bfloat16()
    copy(bert_folder, folder / "half", half)
    assert {t.dtype for t in load_file(folder / "half" / "model.safetensors").values()} == {torch.bfloat16}
    own = dict(read(folder / "half").module.named_parameters())
    assert {tensor.dtype for tensor in own.values()} == {torch.float32}
    assert [n for n in own if not torch.equal(own[n], half.get_parameter(n.removeprefix("encoder.")).float())] == []


@pytest.mark.parametrize("kind", ["BertForSequenceClassification", "BertForMaskedLM"])
def test_the_encoder_of_a_model_with_a_head_is_taken(bert_folder: Path, folder: Path, kind: str) -> None:
    torch.manual_seed(1)
    whole = getattr(transformers, kind)(AutoConfig.from_pretrained(bert_folder))
    loaded = read(copy(bert_folder, folder / "whole", whole))
    assert loaded.match is not None
    assert (loaded.match.matched, loaded.match.missing) == (loaded.match.total, ())
    own = dict(loaded.module.named_parameters())
    assert [n for n in own if not torch.equal(own[n], whole.bert.get_parameter(n.removeprefix("encoder.")))] == []


@pytest.mark.parametrize("prefix", ["", "bert.", "model.backbone.encoder.", "module."])
def test_weights_of_a_file_replace_those_of_the_folder(bert_folder: Path, folder: Path, prefix: str) -> None:
    torch.manual_seed(2)
    other = AutoModel.from_config(AutoConfig.from_pretrained(bert_folder))
    save_file({f"{prefix}{n}": t for n, t in other.state_dict().items()}, folder / "other.safetensors")
    loaded = read(bert_folder, weights="other.safetensors")
    assert loaded.match is not None
    assert loaded.match.matched == loaded.match.total
    own = dict(loaded.module.named_parameters())
    assert [n for n in own if not torch.equal(own[n], other.get_parameter(n.removeprefix("encoder.")))] == []
