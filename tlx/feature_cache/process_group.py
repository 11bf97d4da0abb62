"""The processes of one trial agreeing with each other; alone, a process agrees with itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch.distributed

from tlx.feature_cache.cut import NotCacheable

T = TypeVar("T")


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those of its trial."""

    rank: int = 0
    world: int = 1

    def share(self, value: T) -> T:
        """The first process's value, everywhere."""
        if self.world == 1:
            return value
        box: list[Any] = [value]
        torch.distributed.broadcast_object_list(box)
        shared: T = box[0]
        return shared

    def gather(self, value: T) -> list[T]:
        """Everybody's values, everywhere, by rank."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(found, value)
        return found

    def attempt(self, act: Callable[[], T]) -> T:
        """Act on every process; what refuses one (:class:`NotCacheable`, or ``OSError`` from its disk) refuses all."""
        result: list[T] = []
        problem: NotCacheable | OSError | None = None
        try:
            result.append(act())
        except (NotCacheable, OSError) as error:
            problem = error
        for found in self.gather(problem):
            if found is not None:
                raise found
        return result[0]
