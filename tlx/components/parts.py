"""The components that a configuration is made of: what they can do together, and the versions of their numerics."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from tlx.components import source
from tlx.components.registry import Component, component, of_group
from tlx.config.dataset import modalities
from tlx.config.identity import TRAINING

_OF_STRATEGY = ("peft", "regulariser", "controller", "averaging")
_IMAGES = 3  # 1 resized floats, took 65535 for white in all of 16 bits and turned none; 2 saw grey as a backbone's grey
_SPLITS = 2  # of what stays together; 1 dealt each class alone what does not go up evenly
_CALIBRATION = 2  # 1 took the end of the range where validation has no least loss
_UNKNOWN = 2  # 1 held unknown labels of val and test for known where training did
_CLASS_WEIGHTS = 2  # 1 weighed the positives of a label that is there everywhere by 0
_FLOATS = ("digits", "glyphs")  # whose images are so small that they are floats, as they were
CODE = "code: "  # how the fingerprints of plugins are named


def parts(config: Any) -> Iterator[tuple[str, Component]]:
    """The components of a trial, each with the key of its options.

    Args:
        config: A trial, or its configuration.
    """
    for group in ("backbone", "dataset", "task"):
        yield group, component(group, getattr(config, group).kind)
    for kind in of_group("callback"):
        if getattr(config.callbacks, kind, None) is not None:
            yield f"callbacks.{kind}", component("callback", kind)
    for kind in of_group("loss"):
        if getattr(getattr(config.task, "loss", None), kind, None) is not None:
            yield f"task.loss.{kind}", component("loss", kind)
    for kind in of_group("metric"):
        if getattr(config.task.metrics, kind, None) is not None:
            yield f"task.metrics.{kind}", component("metric", kind)
    if (name := config.strategy.optimizer.name) in of_group("optimizer"):
        yield "strategy.optimizer", component("optimizer", name)
    for group in _OF_STRATEGY:
        if (options := getattr(config.strategy, group)) is not None:
            yield f"strategy.{group}", component(group, options.kind)


def loggers(config: Any) -> Iterator[tuple[str, Component]]:
    """The loggers of a trial, each with the key of its options; they are no part of what it computes.

    Args:
        config: A trial, or its configuration.
    """
    for kind in of_group("logger"):
        if getattr(config.loggers, kind, None) is not None:
            yield f"loggers.{kind}", component("logger", kind)


def parts_without(config: Any, capability: str) -> list[tuple[str, Component]]:
    """The parts of a trial that do not have a capability: the trial has it only where this is empty."""
    return [(key, part) for key, part in parts(config) if capability not in part.capabilities]


def numerics(config: Any) -> dict[str, int]:
    """The numerics version of each part of a trial, where it is not the first."""
    found = {"training": TRAINING, **{key: part.numerics for key, part in parts(config)}}
    if config.dataset.kind not in _FLOATS and "image" in modalities(config.dataset):
        found["dataset.image"] = _IMAGES
    if "group" in (config.dataset.split_by, config.dataset.duplicates):
        found["dataset.splits"] = _SPLITS
    if getattr(config.dataset, "unknown", "ignore") != "ignore":
        found["dataset.unknown"] = _UNKNOWN
    if getattr(config.task, "calibration", "none") != "none":
        found["task.calibration"] = _CALIBRATION
    if getattr(getattr(config.task, "loss", None), "class_weight", "none") != "none" and _has_several_labels(config):
        found["task.loss.class_weight"] = _CLASS_WEIGHTS
    return {key: version for key, version in found.items() if version != 1}


def _has_several_labels(config: Any) -> bool:
    """Is it said that examples have several labels each?"""
    dataset = config.dataset
    columns = (getattr(dataset, "columns", None) or {}).values()
    said = (getattr(dataset, "label_separator", None), getattr(dataset, "labels", None))
    return bool(getattr(config.task, "multilabel", False) or any(said) or any(one.type == "labels" for one in columns))


def make_part(group: str, options: Any, *arguments: Any) -> Any:
    """Make a part of a strategy from its options; one of somebody's own has them under its name.

    Args:
        group: What it is a kind of.
        options: As the strategy has them, with its ``kind``.
        arguments: What else its code is given.
    """
    part = component(group, options.kind)
    own = options if isinstance(options, part.config) else getattr(options, part.kind) or part.config()
    return part.function()(own, *arguments)


def code(config: Any) -> dict[str, str]:
    """A hash of the source of each top-level package that brings a part of a trial, but for tlx.

    Args:
        config: A trial, or its configuration.
    """
    functions: dict[str, list[object]] = {}
    for _, part in parts(config):
        for top in part.packages_of_code:
            found = [part.config, *map(part.function, part.functions)] if top == source.MAIN else []
            functions.setdefault(top, []).extend(found)
    if (architecture := _of_timm(config.backbone)) is not None:
        functions.setdefault(architecture, [])
    return {top: source.digest(top, found) for top, found in sorted(functions.items())}


def _of_timm(backbone: Any) -> str | None:
    """The package that has given timm this architecture (``timm.register_model``); None for timm's own."""
    models = sys.modules.get("timm.models")  # a plugin that has registered one has imported it
    name = backbone.name.partition(".")[0]
    if backbone.kind != "timm" or models is None or not models.is_model(name):
        return None
    top = str(models.model_entrypoint(name).__module__).partition(".")[0]
    return None if top == "timm" else top
