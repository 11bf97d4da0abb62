"""What a person can say about a sweep as a whole; how it is launched is the launcher's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tlx.config.fields import option


@dataclass
class Sweeping:
    """How a sweep treats its trials."""

    retry: str = option(
        help="trials that failed in an earlier command: run again, or left as they are", choices=("failed", "never")
    )
    max_trials: int = option(
        10000, "a command that stands for more trials is refused before any of them is made", above=0
    )
    name: str | None = option(
        None, "its folder and its run in MLflow are called so, and it may grow; null: by the trials it began with"
    )
    exclude: list[dict[str, Any]] = option(
        help="combinations left out, each as keys and values that a trial has: [{strategy: lora, backbone: pixels}]",
        factory=list,
    )
    on_failure: str = option(
        help="a failed trial is one failed trial, or the end of the command; what runs then is saved and goes on later",
        choices=("go_on", "stop"),
    )
    minutes: float | None = option(
        None, "after which the command ends; what runs then is saved and goes on later; null: no end", above=0
    )
    varied: list[str] = option(
        help="the settings that the sweep varies, which name its trials; filled in by it", factory=list
    )
