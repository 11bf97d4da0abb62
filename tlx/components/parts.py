"""The components that a configuration is made of: what they can do together, and the versions of their numerics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tlx.components.registry import Component, component, of_group
from tlx.config.identity import TRAINING

_OF_STRATEGY = ("peft", "regulariser", "controller", "averaging")


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
    return {key: version for key, version in found.items() if version != 1}
