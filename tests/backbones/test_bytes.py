"""Text backbones that read bytes: built from settings alone, the same on any machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import tlx
from tlx.backbones.load import load
from tlx.backbones.partition.stages import stages
from tlx.columns.input_spec import TextSpec
from tlx.config.backbone import BytesBackbone
from tlx.config.errors import WeightsError

SMALL = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}


def options(**fields: object) -> BytesBackbone:
    return BytesBackbone(name="tiny", architecture="bert", settings=SMALL, **fields)  # type: ignore[arg-type]


def test_it_reads_utf_8_bytes() -> None:
    spec = load(options(max_length=8)).takes["text"]
    assert isinstance(spec, TextSpec)
    encoded = spec.tokenizer(["aé", "a long one"], truncation=True, max_length=spec.max_length)["input_ids"]
    assert encoded[0] == [byte + 3 for byte in "aé".encode()] + [1]  # ByT5: three special tokens first, 1 ends
    assert len(encoded[1]) == 8


def test_its_features_do_not_depend_on_padding() -> None:
    torch.manual_seed(0)
    module = load(options()).module.eval()
    ids = torch.tensor([[5, 6, 7]])
    padded = torch.tensor([[5, 6, 7, 0, 0]])
    plain = module(input_ids=ids, attention_mask=torch.ones_like(ids))
    masked = module(input_ids=padded, attention_mask=torch.tensor([[1, 1, 1, 0, 0]]))
    torch.testing.assert_close(plain, masked)


def test_it_has_a_stage_per_layer() -> None:
    cut = stages(load(options()).module)
    assert [stage.name for stage in cut[1:]] == [f"encoder.encoder.layer.{i}" for i in range(3)]


def test_its_weights_come_from_a_file(folder: Path) -> None:
    torch.manual_seed(1)
    state = load(options()).module.state_dict()
    save_file(state, folder / "weights.safetensors")
    torch.manual_seed(2)
    loaded = load(options(weights=str(folder / "weights.safetensors")))
    assert loaded.match is not None
    assert loaded.match.matched == loaded.match.total
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.module.state_dict().items())


def test_a_model_type_that_is_none_is_told() -> None:
    with pytest.raises(WeightsError, match=r"backbone\.architecture"):
        load(BytesBackbone(name="tiny", architecture="bertt"))


def test_another_architecture_is_another_trial() -> None:
    from tlx.training.locate import locate

    words = ["backbone=narrow_bert", "strategy=scratch", "dataset=docstrings"]
    one = locate(tlx.compose(words)).identity
    assert one != locate(tlx.compose([*words, "backbone.settings.num_hidden_layers=2"])).identity
    assert one != locate(tlx.compose([*words, "dataset.packages=[json,email]"])).identity
