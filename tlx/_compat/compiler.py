"""Limits of torch's compiler."""

from __future__ import annotations


def allow_recompiles(count: int) -> None:
    """Let a function be compiled so often before the compiler gives up on it and runs it eagerly."""
    import torch._dynamo  # takes seconds, and few trials are compiled

    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, count)
