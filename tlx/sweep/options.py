"""What a person can say about a sweep as a whole; how it is launched is the launcher's."""

from __future__ import annotations

from dataclasses import dataclass, field

from tlx.config.fields import choice


@dataclass
class Sweeping:
    """How a sweep treats its trials."""

    # trials that failed in an earlier command: run again, or left as they are
    retry: str = choice("failed", "never")
    # a command that stands for more trials is refused before any of them is made
    max_trials: int = 10_000
    # the settings that the sweep varies, which name its trials; filled in by it
    varied: list[str] = field(default_factory=list)
