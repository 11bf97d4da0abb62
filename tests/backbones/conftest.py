"""For the backbone tests: one thread, the weights of a tiny ResNet, and tiny text models saved with tokenizers."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor
from transformers import BertConfig, BertModel, BertTokenizer, GPT2Config, GPT2Model, GPT2Tokenizer

from tlx.backbones.backbone import Backbone
from tlx.backbones.load import load
from tlx.config.backbone import TimmBackbone

torch.set_num_threads(1)
State = dict[str, Tensor]
NAME = "test_resnet.r160_in1k"
SENTENCE = "the backbone of a small network carries what was learned before into what is to be learned next"
WORDS = SENTENCE.split()
TEXTS = [" ".join(WORDS[i:] + WORDS[:i]) for i in range(len(WORDS))] * 4


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and a WordPiece tokenizer, 64 positions."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = BertTokenizer().train_new_from_iterator(TEXTS, vocab_size=200)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    settings = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=37,
        max_position_embeddings=64,
    )
    BertModel(settings).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 of two layers and a byte-level BPE tokenizer, 64 positions."""
    folder = tmp_path_factory.mktemp("gpt2")
    tokenizer = GPT2Tokenizer().train_new_from_iterator(TEXTS, vocab_size=400)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    end = tokenizer.eos_token_id
    settings = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64, bos_token_id=end, eos_token_id=end
    )
    GPT2Model(settings).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def state() -> State:
    """A test ResNet with random weights and statistics, without its classifier."""
    torch.manual_seed(3)
    model = timm.create_model(NAME, num_classes=0)
    for name, tensor in model.state_dict().items():
        if name.endswith(("running_mean", "running_var", "bias")):
            tensor.uniform_(0.5, 1.5)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def read(weights: str, prefix: str | None = None, name: str = NAME) -> Backbone:
    """The backbone with the weights named."""
    return load(TimmBackbone(name=name, weights=weights, weights_prefix=prefix))


def counted(state: State) -> list[str]:
    """The tensors that count: all but the step counters of BatchNorm."""
    return [name for name in state if not name.endswith("num_batches_tracked")]


def prefixed(state: State, prefix: str) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}
