"""Files of the Hugging Face hub: from the local cache when there, else fetched, else a clear error in seconds."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from torch import nn

from tlx.config.errors import ConfigIssue, WeightsError

_PATIENCE = 3.0  # seconds for the first answer
ALTERNATIVES = (
    "offline you can use backbone.weights=<file or folder>, backbone.weights=trial:<experiment>, "
    "backbone.weights=none, or fill the cache on a machine with a network (HF_HOME)"
)


def reachable(place: str = constants.ENDPOINT) -> bool:
    """Does the hub, or the proxy in front of it, take a connection? (no retries: an answer in seconds)"""
    if constants.HF_HUB_OFFLINE:
        return False
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    address = urlsplit(proxy or place)
    if address.hostname is None:
        return False
    try:
        with socket.create_connection((address.hostname, address.port or 443), timeout=_PATIENCE):
            return True
    except OSError:
        return False


def unreachable(name: str) -> WeightsError:
    """The error for weights that are neither cached nor to be had."""
    why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else f"{constants.ENDPOINT} does not answer"
    message = f"not in the local cache, and {why}; {ALTERNATIVES}"
    return WeightsError([ConfigIssue("backbone.weights", message, f"hub ({name})")])


def pretrained_cfg(model: nn.Module) -> dict[str, Any]:
    """What timm knows about a model's published weights."""
    known: Any = getattr(model, "pretrained_cfg", None)
    return dict(known or {})


def timm_file(model: nn.Module, name: str) -> Path:
    """The checkpoint of a timm model; raises :class:`WeightsError` when there is none or it cannot be had."""
    get = pretrained_cfg(model).get
    repository = get("hf_hub_id")
    if get("file"):
        return Path(str(get("file")))
    if not repository and get("url"):
        return _by_url(str(get("url")), name)
    if not repository:
        message = f"timm has no published weights for it; {ALTERNATIVES}"
        raise WeightsError([ConfigIssue("backbone.weights", message, f"hub ({name})")])
    repository = str(repository)
    if repository == "timm/":
        repository = f"timm/{get('architecture')}.{get('tag')}"
    filename = str(get("hf_hub_filename") or "model.safetensors")
    for candidate in (filename, "model.safetensors", "pytorch_model.bin"):
        cached = try_to_load_from_cache(repository, candidate)
        if isinstance(cached, str):
            return Path(cached)
    if not reachable():
        raise unreachable(name)
    return Path(hf_hub_download(repository, filename))


def _by_url(url: str, name: str) -> Path:
    """A checkpoint outside the hub, kept where torch.hub keeps its own."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
    if path.is_file():
        return path
    if not reachable(url):
        raise unreachable(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(url, str(path), progress=False)  # writes a partial file, then renames
    return path
