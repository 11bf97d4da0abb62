"""Where a run is: the one list of what an interrupted trial needs, beside weights and callbacks, to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tlx.strategies.phases import PhasePlan


@dataclass
class TrainingState:
    """The state of the loop over phases."""

    step: int = 0  # optimizer steps taken
    rounds: int = 0  # ended; a round is the steps between two validations
    start: int = 0  # of the phase, in optimizer steps
    stop: int = 0
    total: int = 0  # of all phases
    trained: frozenset[str] = frozenset()  # what has trained so far, or does now
    trainable: frozenset[str] = frozenset()  # what trains in the next fit, or does in this one
    fit_ends: bool = False  # what trains has been changed: the rest of the phase is a fit of its own
    metrics: dict[str, float | None] = field(default_factory=dict)  # of the last evaluation
    rate_factors: dict[str, float] = field(default_factory=dict)  # on the rates of parameters, by name
    optimizer: dict[str, Any] | None = None  # its state, carried from one fit to the next
    current: PhasePlan | None = None

    @property
    def phase(self) -> PhasePlan:
        """The phase being run."""
        if self.current is None:
            raise RuntimeError("no phase entered yet")
        return self.current

    def enter(self, phase: PhasePlan, start: int, stop: int, total: int) -> None:
        """Be in a phase, which covers optimizer steps ``start`` to ``stop`` of ``total``."""
        self.current, self.start, self.stop, self.total = phase, start, stop, total

    def state_dict(self) -> dict[str, Any]:
        """Plain values, from which :meth:`load_state_dict` goes on."""
        return {
            "step": self.step,
            "rounds": self.rounds,
            "phase": self.phase.number,
            "start": self.start,
            "stop": self.stop,
            "trained": sorted(self.trained),
            "trainable": sorted(self.trainable),
            "metrics": dict(self.metrics),
            "rate_factors": dict(self.rate_factors),
        }

    def load_state_dict(self, state: Mapping[str, Any], phases: Sequence[PhasePlan], total: int) -> None:
        """Go on from :meth:`state_dict`; the plan of phases is made anew."""
        self.enter(phases[state["phase"]], state["start"], state["stop"], total)
        self.step, self.rounds = state["step"], state["rounds"]
        self.trained, self.trainable = frozenset(state["trained"]), frozenset(state["trainable"])
        self.metrics, self.rate_factors = dict(state["metrics"]), dict(state["rate_factors"])
