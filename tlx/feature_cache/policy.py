"""When reuse pays: process time and disk against computing again. Pure arithmetic over what was measured."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tlx.feature_cache.writer import Costs

_LEAST_PASSES = 1.5  # over a split, all trials that share it together
_LEAST_EXAMPLES = 400  # computed again otherwise; fewer are done before anything has been measured
_LEAST_FOR_A_LOOK = 2000  # the same, where first a dry run has to tell what is constant
_MARGIN = 0.95  # of the cost without reuse
READ = 1e9  # bytes per second of process time, from memory or the page cache
DISK = 2e8  # bytes per second from a disk, for what memory cannot hold


@dataclass(frozen=True)
class Need:
    """How often a split will be read with the same prefix."""

    examples: int
    passes: float

    @property
    def plenty(self) -> bool:
        """Is it worth a dry run, which costs as much as some hundred examples of a small network?"""
        return self.examples * self.passes >= _LEAST_FOR_A_LOOK

    @property
    def enough(self) -> bool:
        """Is it worth a measurement?"""
        return self.passes >= _LEAST_PASSES and self.examples * self.passes >= _LEAST_EXAMPLES


def is_profitable(need: Need, costs: Costs, size: float, memory: float) -> bool:
    """Does filling and reading cost less than computing again? ``size``: bytes per example; ``memory``: bytes free."""
    read = reading(size, need.examples, memory)
    return costs.compute + costs.write + need.passes * read <= _MARGIN * need.passes * costs.compute


def keeping_is_profitable(need: Need, compute: float, write: float, size: float, memory: float) -> bool:
    """Does keeping another depth pay, when the pass that computes it is made anyway? Costs per example, in seconds."""
    spared = need.passes * (compute - reading(size, need.examples, memory))
    return need.examples * need.passes >= _LEAST_EXAMPLES and write <= _MARGIN * spared


def reading(size: float, examples: int, memory: float) -> float:
    """Seconds to read what is kept of one example."""
    return size / (READ if size * examples < memory / 2 else DISK)


def reading_is_profitable(seconds: float, size: float, examples: int, memory: float) -> bool:
    """Is reading what is there already cheaper than computing it?"""
    return reading(size, examples, memory) <= _MARGIN * seconds


def free_memory() -> float:
    """Bytes the kernel could give to the page cache; where it does not say, half of what there is."""
    table = Path("/proc/meminfo")
    if not table.is_file():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    fields = {line.partition(":")[0]: line.split() for line in table.read_text(encoding="ascii").splitlines()}
    return float(fields["MemAvailable"][1]) * 1024
