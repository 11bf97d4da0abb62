"""The bar that shows on a terminal how far something is."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def is_live(console: Console) -> bool:
    """Can a bar move there? Elsewhere lines are printed now and then."""
    return console.is_terminal or console.is_jupyter


def bar(console: Console, **options: Any) -> Progress:
    """Make a bar of description, count, elapsed time and each task's field ``left``; nothing where it cannot move.

    Args:
        console: Where it is shown.
        options: Of :class:`rich.progress.Progress`.
    """
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=console,
        disable=not is_live(console),
        refresh_per_second=4,
        **options,
    )
