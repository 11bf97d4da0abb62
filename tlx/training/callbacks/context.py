"""What a callback may look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import nn
from torch.optim import Optimizer

from tlx.backbones.partition.stages import Stage
from tlx.backbones.weights import State
from tlx.columns.batch import Batch
from tlx.strategies.phases import PhasePlan
from tlx.training.losses import Losses
from tlx.training.state import TrainingState


@dataclass
class Context:
    """A run, to be read: what callbacks change they ask for.

    Args:
        model: A module with ``backbone`` and ``head``.
        stages: Of the model, shallow to deep.
        phases: The plan.
        state: Where the run is.
        snapshot: Copies of what a checkpoint would hold of the model now, on the CPU.
        factor: The schedule's factor on every learning rate at an optimizer step of the phase.
    """

    model: nn.Module
    stages: Sequence[Stage]
    phases: Sequence[PhasePlan]
    state: TrainingState
    snapshot: Callable[[], State]
    factor: Callable[[int], float]
    steps_per_epoch: int
    # of the round
    losses: Losses = field(default_factory=Losses)
    round_began: int = 0  # at this optimizer step
    batch: Batch | None = None  # the last one, as its loss was computed
    training_loss: float = 0.0  # the mean over the round's examples
    rates: dict[str, float] = field(default_factory=dict)  # of the last step, by stage
    count: int = 0  # parameters that train
    # of the fit
    optimizer: Optimizer | None = None
    gradient_scale: Callable[[], float] = lambda: 1.0  # the factor that gradients carry before a step
    is_overflown: Callable[[], bool] = lambda: False  # have gradients overflowed, so that the step will be left out?
    any_process: Callable[[bool], bool] = bool  # is something so in any process of the trial?

    @property
    def phase(self) -> PhasePlan:
        """The phase being run."""
        return self.state.phase

    @property
    def step(self) -> int:
        """Optimizer steps taken."""
        return self.state.step

    @property
    def is_last_phase(self) -> bool:
        """Does the plan end with this phase?"""
        return self.phase.number == len(self.phases) - 1
