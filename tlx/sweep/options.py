"""What a person can say about a sweep as a whole; how it is launched is the launcher's."""

from __future__ import annotations

from dataclasses import dataclass

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
    varied: list[str] = option(
        help="the settings that the sweep varies, which name its trials; filled in by it", factory=list
    )
