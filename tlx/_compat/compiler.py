"""Limits of torch's compiler, and the random numbers of what it compiles."""

from __future__ import annotations


def allow_recompiles(count: int) -> None:
    """Let a function be compiled so often before the compiler gives up on it and runs it eagerly."""
    import torch._dynamo  # takes seconds, and few trials are compiled

    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, count)


def draw_as_eager() -> None:
    """Have compiled code draw the random numbers that the same code draws uncompiled: dropout drops the same units."""
    import torch._inductor.config

    torch._inductor.config.fallback_random = True
