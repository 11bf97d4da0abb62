"""LoRA, DoRA and (IA)³ by the peft library, in layers where it computes what it should."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections import Counter
from collections.abc import Collection
from typing import Any

from torch import nn

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.patterns import Refused
from tlx.config.patterns import found as names_with
from tlx.config.strategy_parts import Peft

KINDS = ("lora", "dora", "ia3")
MARKS = frozenset({"lora_A", "lora_B", "lora_magnitude_vector", "ia3_l"})

_KEY_VALUE = re.compile(r"(^|\.)(k|v|key|value|[kv]_proj|[kv]_lin|(key|value)_proj)$")
_FUSED = re.compile(r"(^|\.)(qkv|qk|kv|c_attn|in_proj|query_key_value|qkv_proj|Wqkv)$")
_SECOND = re.compile(r"((?<!attention\.)output\.dense|mlp\.c_proj|(^|\.)(fc2|lin2|wo|w2|down_proj|ffn_output))$")


def inject(backbone: nn.Module, blocks: Collection[int], options: Peft) -> None:
    """Replace layers by peft's; ``blocks`` holds the ids of the parameters that blocks consist of.

    Without a target that is every linear layer and convolution of the blocks which can be adapted. Of those, (IA)³
    takes key and value projections and the second layer of each feed-forward part, whose *inputs* it scales as in
    the paper; where these cannot be told by name (fused projections, convolutional nets), and where a target is
    given, it scales the outputs of them all.

    Left out, and refused as targets: layers that are not called but read from, as the projections inside
    ``nn.MultiheadAttention``; tied weights; convolutions that standardise their weights; for lora and dora also
    grouped convolutions, which peft cannot merge, and dilated ones, whose dilation it forgets.
    """
    peft = _library(options.kind)
    layers = {path: module for path, module in backbone.named_modules() if _adaptable(module)}
    chosen = _targets(backbone, layers, options) if options.target else _inside(backbone, layers, blocks, options)
    if options.kind == "ia3":
        second = [path for path in chosen if _SECOND.search(path)]
        projections = [path for path in chosen if _KEY_VALUE.search(path)]
        if options.target or not second or not projections or any(_FUSED.search(path) for path in chosen):
            second = []
        else:
            chosen = [path for path in chosen if path in second or path in projections]
        config = peft.IA3Config(target_modules=_exactly(chosen), feedforward_modules=_exactly(second))
    else:
        config = peft.LoraConfig(
            r=options.rank,
            lora_alpha=options.alpha,
            lora_dropout=options.dropout,
            target_modules=_exactly(chosen),
            use_dora=options.kind == "dora",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on fan_in_fan_out, which peft corrects by itself
        peft.inject_adapter_in_model(config, backbone)
    vars(backbone).pop("peft_config", None)  # of no use without peft's own model around it
    for module in backbone.modules():
        if (dropout := dict(module.named_children()).get("lora_dropout")) is not None:
            del module.lora_dropout  # last: a module without parameters trains if the one before it does
            module.add_module("lora_dropout", dropout)


def merge(model: nn.Module) -> None:
    """Fold every layer of peft's into the layer it replaced, and put that back."""
    for path, layer in list(model.named_modules()):
        inner = dict(layer.named_children())
        if "base_layer" in inner and not MARKS.isdisjoint(inner):
            fold: Any = layer.merge
            fold(safe_merge=True)  # raises instead of writing NaN
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, layer.get_submodule("base_layer"))


def match(patterns: list[str], paths: Collection[str], what: str) -> dict[str, str]:
    """Each path that a pattern finds, with that pattern; raises :class:`ConfigError` for patterns that find none."""
    found: dict[str, str] = {}
    problems = []
    for pattern in patterns:
        try:
            hits = names_with(pattern, paths)
        except Refused as error:
            problems.append(ConfigIssue("strategy.peft.target", str(error), pattern))
            continue
        if not hits:
            problems.append(ConfigIssue("strategy.peft.target", f"finds no {what} of this backbone", pattern))
        found.update(dict.fromkeys(hits, pattern))
    if problems:
        raise ConfigError(problems)
    return found


def _library(kind: str) -> Any:
    try:
        return importlib.import_module("peft")
    except ImportError as error:
        message = "needs the peft library: pip install 'tlx[peft]'"
        raise ConfigError([ConfigIssue("strategy.peft.kind", message, kind)]) from error


def _adaptable(module: nn.Module) -> bool:
    from transformers.pytorch_utils import Conv1D  # a transposed linear layer, in GPT-2

    return isinstance(module, (nn.Linear, nn.Conv2d, Conv1D))


def _targets(backbone: nn.Module, layers: dict[str, nn.Module], options: Peft) -> list[str]:
    found = match(options.target, layers, "linear layer or convolution")
    shared = _shared(backbone)
    refused: dict[tuple[str, str], list[str]] = {}
    for path, pattern in found.items():
        if reason := _obstacle(backbone, path, shared, options):
            refused.setdefault((pattern, reason), []).append(path)
    problems = []
    for (pattern, reason), paths in refused.items():
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        message = f"{options.kind} cannot adapt {', '.join(paths[:3])}{more}: {reason}"
        problems.append(ConfigIssue("strategy.peft.target", message, pattern))
    if problems:
        raise ConfigError(problems)
    return [path for path in layers if path in found]


def _inside(backbone: nn.Module, layers: dict[str, nn.Module], blocks: Collection[int], options: Peft) -> list[str]:
    shared = _shared(backbone)
    inside = [path for path, layer in layers.items() if id(layer.weight) in blocks]
    chosen = [path for path in inside if not _obstacle(backbone, path, shared, options)]
    if not chosen:
        message = "the blocks of this backbone have no linear layer or convolution that it can adapt"
        raise ConfigError([ConfigIssue("strategy.peft.kind", message, options.kind)])
    return chosen


def _obstacle(backbone: nn.Module, path: str, shared: Collection[int], options: Peft) -> str:
    """Why this layer cannot be adapted; empty if it can."""
    layer = backbone.get_submodule(path)
    above, _, name = path.rpartition(".")
    if any(id(parameter) in shared for parameter in layer.parameters()):
        return "its weight is tied to another layer"
    if _read_past(backbone.get_submodule(above), name):
        return "the module around it uses what is inside instead of calling it"
    if isinstance(layer, nn.Conv2d):
        if type(layer).forward is not nn.Conv2d.forward and (type(layer).__name__ != "Conv2dSame" or options.dropout):
            return f"{type(layer).__name__} is not a plain convolution"
        if options.kind != "ia3" and layer.groups > 1:
            return "it is grouped"
        if options.kind != "ia3" and (set(layer.dilation) != {1} or layer.padding_mode != "zeros"):
            return "it is dilated, or does not pad with zeros"
    return ""


def _shared(backbone: nn.Module) -> set[int]:
    """Ids of the parameters that have several names."""
    counts = Counter(id(parameter) for _, parameter in backbone.named_parameters(remove_duplicate=False))
    return {parameter for parameter, count in counts.items() if count > 1}


def _read_past(parent: nn.Module, name: str) -> bool:
    """Does ``parent`` compute with the layer's weight, as BEiT and Swin v2 do to give it a bias of their own?

    What replaces the layer would then never be called, and never learn. Nor has it attributes like ``kernel_size``.
    """
    if isinstance(parent, nn.MultiheadAttention):
        return True
    try:
        source = inspect.getsource(type(parent).forward)
    except (OSError, TypeError):
        return False
    layer = rf"self\.{re.escape(name)}\."
    used = rf"\b(linear|conv2d)\([^()]*{layer}weight|{layer}(?!weight\b|bias\b|(in|out)_features\b)"
    return re.search(used, source) is not None


def _exactly(paths: list[str]) -> str:
    """A pattern for these paths alone: peft takes a list's entries as endings."""
    return "|".join(re.escape(path) for path in paths)
