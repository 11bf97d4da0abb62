"""Published weights: taken from the local cache when there; else the error names what to do, without asking twice."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from tlx.backbones.load import load
from tlx.config.backbone import Backbone, TimmBackbone, TransformersBackbone
from tlx.config.errors import WeightsError

TIMM = TimmBackbone(name="test_resnet.r160_in1k")
BACKBONES: list[Backbone] = [
    TIMM,
    TimmBackbone(name="mobilenetv3_small_100.lamb_in1k"),
    TransformersBackbone(name="google-bert/bert-base-uncased"),
    TransformersBackbone(name="nobody/no-such-model"),
]


@pytest.fixture(autouse=True)
def attempts(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[Any]:
    """An empty cache and a network that is down; the addresses that were tried."""
    tried: list[Any] = []

    def down(address: Any, *_: object, **__: object) -> socket.socket:
        tried.append(address)
        raise OSError("network is down")

    monkeypatch.setattr(socket, "create_connection", down)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tried


def message(config: Backbone) -> str:
    with pytest.raises(WeightsError) as caught:
        load(config)
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("backbone.weights", f"hub ({config.name})")
    return problem.message


@pytest.mark.parametrize("config", BACKBONES, ids=lambda config: str(config.name))
def test_offline_the_alternatives_are_named(config: Backbone, attempts: list[Any]) -> None:
    said = message(config)
    assert "HF_HUB_OFFLINE" in said
    for alternative in ("backbone.weights=<file or folder>", "trial:", "backbone.weights=none", "HF_HOME"):
        assert alternative in said
    assert attempts == []  # no connection was tried


@pytest.mark.parametrize("config", BACKBONES, ids=lambda config: str(config.name))
def test_a_dead_network_is_tried_once(config: Backbone, attempts: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert "does not answer" in message(config)
    assert attempts == [("huggingface.co", 443)]


def test_behind_a_proxy_the_proxy_is_tried(attempts: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    message(TIMM)
    assert attempts == [("proxy.invalid", 3128)]


def test_a_model_that_was_never_published_says_so() -> None:
    assert "no published weights" in message(TimmBackbone(name="test_vit4"))


def test_cached_weights_need_no_network(folder: Path, attempts: list[Any]) -> None:
    revision = "0" * 40
    cached = folder / "cache" / "models--timm--test_resnet.r160_in1k"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(revision, encoding="utf-8")
    (cached / "snapshots" / revision).mkdir(parents=True)
    torch.manual_seed(0)
    published = timm.create_model(TIMM.name).state_dict()
    save_file(published, cached / "snapshots" / revision / "model.safetensors")
    loaded = load(TIMM)
    assert loaded.match is not None
    assert set(loaded.match.unexpected) == {"fc.weight", "fc.bias"}
    own = loaded.module.state_dict()
    assert [name for name in own if not torch.equal(own[name], published[name])] == []
    assert attempts == []
