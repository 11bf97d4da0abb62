"""For the backbone tests: one thread, and tiny transformers models with trained tokenizers, saved as folders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer, GPT2Config, GPT2Model, GPT2Tokenizer

torch.set_num_threads(1)
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
