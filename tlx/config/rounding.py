"""Settings that are no part of a trial's identity and yet may change the last bits of its numbers.

Sums of floating-point numbers depend on their order, and that on threads, devices, batches of a pass without gradients
and kernels. Two trials that differ only here are one; what a result was made with is recorded with it, and whoever asks
for something else is told.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from tlx.config.fields import ROUNDING
from tlx.config.machine import cluster, cores, gpus

Settings = dict[str, str]  # key -> value, as one writes it on a command line
_THREADS, _ACCELERATOR, _DEVICES = "hardware.threads", "hardware.accelerator", "hardware.devices"


def asked_for(trial: Any, threads: int | None = None) -> Settings:
    """The rounding settings of a trial, settled for this machine without torch; what a cluster settles is left out.

    Args:
        trial: Its configuration.
        threads: Of a process where the trial leaves them open; ``None``: all cores; 0: whoever runs it decides.
    """
    found = dict(_marked(trial))
    hardware, there = trial.hardware, _gpus(os.environ.get("CUDA_VISIBLE_DEVICES"))
    if found[_ACCELERATOR] == "auto" and not cluster():
        apple = platform.system() == "Darwin" and platform.machine() == "arm64"
        found[_ACCELERATOR] = "gpu" if there else "mps" if apple else "cpu"
    if found[_DEVICES] is None:
        found[_DEVICES] = max(1, there) if hardware.accelerator == "auto" and not cluster() else 1
    if found[_THREADS] is None:
        found[_THREADS] = max(1, cores() // found[_DEVICES]) if threads is None and not cluster() else threads
    left_open = [key for key, value in ((_ACCELERATOR, "auto"), (_THREADS, None), (_THREADS, 0)) if found[key] == value]
    return _written({key: value for key, value in found.items() if key not in left_open})


def settled(trial: Any, accelerator: str, devices: int, threads: int) -> Settings:
    """The rounding settings of a trial as they were settled where it ran."""
    return _written({**dict(_marked(trial)), _ACCELERATOR: accelerator, _DEVICES: devices, _THREADS: threads})


def differences(made: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The settings that are others than asked for, each as (made with, asked for)."""
    return {key: (made[key], now) for key, now in asked.items() if key in made and made[key] != now}


def told(found: Mapping[str, tuple[str, str]]) -> str:
    """Write :func:`differences` as a person reads them: ``hardware.threads=2 (asked for: 1)``."""
    return ", ".join(f"{key}={made} (asked for: {asked})" for key, (made, asked) in found.items())


def _marked(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The options of a configuration that are marked ``rounding_only``, with their values."""
    kind: type = type(node)
    marked, others = _options(kind)
    for name in marked:
        yield f"{path}{name}", getattr(node, name)
    for name in others:
        if hasattr(value := getattr(node, name), "__dataclass_fields__"):
            yield from _marked(value, f"{path}{name}.")


@cache
def _options(kind: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the options of a part that are marked, and of the others."""
    marked = tuple(one.name for one in fields(kind) if one.metadata.get(ROUNDING))
    return marked, tuple(one.name for one in fields(kind) if one.name not in marked)


@cache
def _gpus(_visible: str | None) -> int:
    return gpus()


def _written(found: Mapping[str, Any]) -> Settings:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
