"""What a key that is not there was meant to be: a setting elsewhere, a name of another framework, or a misspelling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tlx._compat.config_nodes import is_interpolation, is_missing, is_none, node_at
from tlx.components import groups
from tlx.config.errors import suggest
from tlx.config.schema import EXPERIMENT

# names of Lightning, Keras, transformers and timm, and what they are called here
ELSEWHERE = {
    "accumulate_grad_batches": "hardware.accumulate",
    "arch": "backbone",
    "early_stopping": "strategy.phases.0.plateau",
    "epochs": "strategy.budget",
    "freeze": "strategy.phases.0.train",
    "gpus": "hardware.devices",
    "gradient_accumulation_steps": "hardware.accumulate",
    "gradient_clip_val": "strategy.clip",
    "image_size": "backbone.input.size",
    "img_size": "backbone.input.size",
    "learning_rate": "strategy.lr",
    "logger": "tracking",
    "lr_scheduler": "strategy.schedule",
    "max_epochs": "strategy.budget",
    "max_grad_norm": "strategy.clip",
    "max_steps": "strategy.budget",
    "model": "backbone",
    "num_epochs": "strategy.budget",
    "num_gpus": "hardware.devices",
    "num_train_epochs": "strategy.budget",
    "num_workers": "hardware.workers",
    "output_dir": "output",
    "patience": "strategy.phases.0.plateau.patience",
    "pretrained": "strategy.init",
    "scheduler": "strategy.schedule",
    "warmup_steps": "strategy.schedule.warmup",
    "wd": "strategy.optimizer.weight_decay",
}

_SHOWN = 3


def suggestion(base: DictConfig, key: str, path: str, name: str, siblings: list[str]) -> str:
    """Say what an unknown key was meant to be, as the end of a message.

    Args:
        base: The configuration it is not in.
        key: The whole key.
        path: The part of it that is there, with a dot at its end.
        name: The step that is not.
        siblings: What is there in its place.
    """
    group = path.partition(".")[0]
    for option, kind in groups.options(group).items():
        if path == f"{group}." and name in (one.name for one in fields(kind)):
            return f"; it is a setting of {group}={option}: choose that as well"
    for word in dict.fromkeys((key.rpartition(".")[2], name)):
        known = [found for found in _keys(base) if found.rpartition(".")[2] == word]
        if word in ELSEWHERE:
            known.append(ELSEWHERE[word])
        if known:
            least = min(found.count(".") for found in known)
            near = [found for found in known if found.count(".") == least]
            return f"; did you mean {' or '.join(near[:_SHOWN])}?"
    if hint := suggest(name, siblings, path):
        return hint
    if not path and (hint := suggest(name, [found.rpartition(".")[2] for found in _keys(base)])):
        word = hint.removeprefix("; did you mean ").removesuffix("?")
        return f"; did you mean {min((one for one in _keys(base) if one.rpartition('.')[2] == word), key=len)}?"
    return f"; {path.rstrip('.') or 'a trial'} has {', '.join(siblings) or 'nothing'}"


def _keys(node: Any, path: str = "") -> Iterator[str]:
    """The keys of every setting, but for what stands in lists and free mappings."""
    if not isinstance(node, DictConfig) or is_none(node) or is_missing(node) or is_interpolation(node):
        return
    if OmegaConf.get_type(node) is dict:
        return
    for name in map(str, node):
        if not path or name not in (EXPERIMENT, "name", "kind", "modality"):
            yield f"{path}{name}"
        yield from _keys(node_at(node, name), f"{path}{name}.")
