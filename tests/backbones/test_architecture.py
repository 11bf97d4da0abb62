"""The settings and the tokenizer in a bundle name no place, and those of a stranger that do are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertTokenizer

from tlx.backbones import architecture
from tlx.config.errors import WeightsError

EVIL = "open('PWNED', 'w').write('')\n"


@pytest.fixture
def encoded(folder: Path) -> Path:
    """Settings and tokenizer of a text model, as tlx writes them."""
    tokenizer = BertTokenizer().train_new_from_iterator(["a text of words"] * 3, vocab_size=60)
    tokenizer.init_kwargs["special_tokens_map_file"] = "/home/somebody/.cache/x.json"
    architecture.write(
        folder / "architecture", BertConfig(hidden_size=8, _name_or_path="/home/somebody/bert"), tokenizer
    )
    return folder / "architecture"


def test_an_architecture_names_no_place(encoded: Path) -> None:
    architecture.check(encoded)
    assert not any(b"/home" in file.read_bytes() for file in encoded.iterdir())


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("config.json", {"auto_map": {"AutoConfig": "evil.Config"}}, "names something outside of it: auto_map"),
        ("config.json", {"model_type": "detr"}, "no text model"),
        ("config.json", {"model_type": None}, "no text model"),
        ("config.json", {"text_config": {"backbone": "resnet50"}}, "outside of it: backbone"),
        ("tokenizer_config.json", {"vocab_file": "/etc/passwd"}, "outside of it: vocab_file"),
        ("tokenizer_config.json", {"tokenizer_file": "../../x"}, "outside of it: tokenizer_file"),
        ("tokenizer_config.json", {"fast_tokenizer_files": ["../x"]}, "outside of it: fast_tokenizer_files"),
        ("tokenizer_config.json", {"auto_map": ["evil.Tokenizer", None]}, "outside of it: auto_map"),
    ],
)
def test_an_architecture_that_leads_elsewhere_is_refused(
    encoded: Path, name: str, changes: dict[str, Any], reason: str
) -> None:
    file = encoded / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(WeightsError, match=reason):
        architecture.check(encoded)


def test_an_architecture_with_other_files_is_refused(encoded: Path, folder: Path) -> None:
    (encoded / "modeling_evil.py").write_text(EVIL)
    with pytest.raises(WeightsError, match=r"modeling_evil.py .*is not a file that tlx writes"):
        architecture.check(encoded)
    (encoded / "modeling_evil.py").unlink()
    (encoded / "vocab.txt").symlink_to("/etc/passwd")
    with pytest.raises(WeightsError, match="symbolic link"):
        architecture.check(encoded)
