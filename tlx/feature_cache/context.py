"""What a trainer brings to reuse: its precision, the processes it runs in, and who is told what was decided."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from tlx.feature_cache.process_group import ProcessGroup


@dataclass
class CacheContext:
    """Defaults are those of one process in full precision that tells nobody."""

    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
    precision: str = "32-true"
    together: ProcessGroup = field(default_factory=ProcessGroup)
    note: Callable[..., None] = lambda event, **fields: None
    say: Callable[[str], None] = lambda line: None
