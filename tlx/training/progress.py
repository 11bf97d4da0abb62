"""How far a trial is: what the training loop tells whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping


class Progress:
    """Hears of the phases, steps and metrics of a trial, and shows nothing of them."""

    metric = ""  # the name of the one that the trial's models are compared by

    def phase(self, number: int, count: int, name: str, stop: int, total: int) -> None:
        """Hear that a phase begins, or goes on after an interruption.

        Args:
            number: Of the phase, from 1.
            count: How many phases there are.
            name: What trains in it.
            stop: The optimizer step that ends it, at the latest.
            total: The steps of the whole trial.
        """

    def step(self, step: int) -> None:
        """Hear that an optimizer step was taken; ``step`` steps were so far."""

    def metrics(self, values: Mapping[str, float | None]) -> None:
        """Hear of a validation, and of the training loss since the one before."""
