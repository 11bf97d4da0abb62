"""The content address of an entry: everything its bytes depend on, hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from tlx.backbones.weights import content
from tlx.data.module import Data
from tlx.feature_cache.cut import ModuleCall
from tlx.version import VERSION


def weights(model: nn.Module, names: Iterable[str]) -> str:
    """A hash of parameters and buffers, by name and content."""
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return content({name: own[name] for name in names})


def network(model: nn.Module) -> dict[str, str]:
    """The code a forward pass runs: the modules, and the versions of the libraries they come from."""
    backbone = model.get_submodule("backbone")
    parts = [f"{path} {_described(module)}" for path, module in backbone.named_modules()]
    return {
        "modules": hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32],
        "tlx": VERSION,
        "torch": torch.__version__,
        "timm": version("timm"),
        "transformers": version("transformers"),
    }


def _described(module: nn.Module) -> str:
    """A module's class and every setting it has: numbers, words, tuples of them, and transformers' configuration."""
    settings = {name: value for name, value in vars(module).items() if name != "training" and _is_plain(value)}
    config: Any = getattr(module, "config", None)
    if hasattr(config, "to_dict"):
        settings["config"] = config.to_dict()
    kind = type(module)
    return f"{kind.__module__}.{kind.__qualname__} {json.dumps(settings, sort_keys=True, default=str)}"


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, (bool, int, float, str, torch.dtype, torch.Size))


def inputs(data: Data, split: str, augmentation: str, reads: Mapping[str, str]) -> dict[str, Any]:
    """What the backbone reads: the examples of a split in their order, after their transform.

    ``reads``: by argument of the backbone, the column.
    """
    examples = data.examples[split]
    order = hashlib.sha256(examples.indices.tobytes()).hexdigest()[:32]
    facts = {"data": data.fingerprint, "split": split, "examples": order, "augmentation": augmentation}
    if augmentation != "none":
        facts["seed"] = str(data.order_seed)
    read = [[argument, column, dict(examples.readers[column].facts())] for argument, column in reads.items()]
    return {**facts, "inputs": read}


def machine(device: torch.device, precision: str, batch: int, features: str | None = None) -> dict[str, Any]:
    """What else the numbers depend on: the kind of device, threads, the precision, the batch, and torch's switches.

    ``features``: the precision of the frozen backbone, where that is another.
    """
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return {
        "device": f"{device.type} {kind}",
        "threads": torch.get_num_threads() if device.type == "cpu" else 0,
        "precision": precision,
        "batch": batch,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "tf32": torch.backends.cudnn.allow_tf32,
        "mkldnn": torch.backends.mkldnn.enabled,
        **({"features": features} if features is not None else {}),
    }


def key(facts: dict[str, Any], site: ModuleCall) -> str:
    """The name of an entry: 32 hexadecimal digits."""
    text = json.dumps({**facts, "site": str(site)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
