"""Text backbones: folders that lack a tokenizer or weights that fit, and lengths the model cannot read, are refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import AutoConfig

from tests.backbones.test_texts import copy, features, read, spec
from tlx.config.errors import ConfigIssue, WeightsError


def refused(folder: Path, **options: Any) -> list[ConfigIssue]:
    """The problems of a folder that is refused."""
    with pytest.raises(WeightsError) as caught:
        read(folder, **options)
    return caught.value.problems


def test_length_is_what_the_model_can_read(bert_folder: Path, folder: Path) -> None:
    assert spec(read(bert_folder)).max_length == 64
    assert spec(read(bert_folder, max_length=16)).max_length == 16
    (problem,) = refused(bert_folder, max_length=65)
    assert (problem.key, problem.value) == ("backbone.max_length", 65)
    assert "64" in problem.message
    roberta = transformers.RobertaConfig(
        **{**AutoConfig.from_pretrained(bert_folder).to_dict(), "model_type": "roberta", "pad_token_id": 1}
    )
    copy(bert_folder, folder / "roberta", transformers.RobertaModel(roberta))
    limit = spec(read(folder / "roberta")).max_length
    assert features(read(folder / "roberta"), [" ".join(["the"] * (limit - 2))]).isfinite().all()
    assert limit == 64 - 1 - 1  # its positions begin after the padding token's


def test_a_folder_without_its_tokenizer_is_refused(bert_folder: Path, folder: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(bert_folder / name, folder / name)
    (problem,) = refused(folder)
    assert problem.key == "backbone.name"
    assert "tokenizer" in problem.message


def test_a_checkpoint_that_lacks_half_the_model_is_refused(bert_folder: Path, folder: Path) -> None:
    copy(bert_folder, folder / "deep")
    settings = AutoConfig.from_pretrained(bert_folder)
    settings.num_hidden_layers = 4
    settings.save_pretrained(folder / "deep")
    message = {problem.key: problem.message for problem in refused(folder / "deep")}
    assert " of 69 tensors fit" in message["backbone.weights"]
    assert "encoder.layer.2." in message["missing"]


def test_a_checkpoint_of_another_width_is_refused(bert_folder: Path, folder: Path) -> None:
    copy(bert_folder, folder / "wide")
    settings = AutoConfig.from_pretrained(bert_folder)
    settings.hidden_size = 48
    settings.save_pretrained(folder / "wide")
    assert refused(folder / "wide")[0].key == "backbone.weights"


@pytest.mark.parametrize("content", [None, b"", b"torn"])
def test_a_folder_without_readable_weights_is_refused(bert_folder: Path, folder: Path, content: bytes | None) -> None:
    copy(bert_folder, folder / "broken")
    weights = folder / "broken" / "model.safetensors"
    weights.unlink() if content is None else weights.write_bytes(content)
    assert refused(folder / "broken")[0].key == "backbone.weights"
