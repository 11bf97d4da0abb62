"""What every task can do. Nothing here knows of classes, or that there is one output for each example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from tlx.backbones.backbone import Backbone, Form
from tlx.columns.batch import Batch
from tlx.columns.schema import Schema
from tlx.runs.metric import Metric
from tlx.tasks import temperature
from tlx.tasks.per_class import Tables


@dataclass
class StepOutput:
    """What one step gives.

    Args:
        loss: The mean over ``weight`` of what was seen; None where there is none.
        weight: What the loss is a mean of: examples, or the sum of their weights.
        parts: What it came from, such as the outputs of the network.
    """

    loss: Tensor | None
    weight: float | Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)


class Task(Protocol):
    """A task joins a backbone with a head and knows its loss, metrics and predictions."""

    form: Form  # of the features that it needs
    primary_metric: str  # what models are chosen and compared by
    metric_info: Mapping[str, Metric]  # every name compute() gives

    def build(self, backbone: Backbone, schema: Schema) -> nn.Module:
        """The model: a module with ``backbone`` and ``head`` that takes the inputs of a batch."""

    def fit(self, targets: Mapping[str, Tensor]) -> None:
        """Learn from the targets of train what the loss needs, such as the weights of classes."""

    def weights(self, targets: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Tensor | None:
        """How much each example counts in the mean that a loss is [examples]; None where all count the same."""

    def training_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The loss to descend."""

    def eval_step(self, model: nn.Module, batch: Batch, metrics: nn.Module) -> StepOutput:
        """The loss on held-out data; updates ``metrics``."""

    def metrics(self) -> nn.Module:
        """Fresh metrics, to live on the module that trains."""

    def compute(self, metrics: nn.Module) -> dict[str, float | None]:
        """Values since the last reset, undefined ones as ``None``; resets."""

    def predict(self, model: nn.Module, batch: Batch, out: StepOutput | None = None) -> list[dict[str, Any]]:
        """One record per example, plain enough for a JSON line; ``out`` of the same batch saves a second forward."""


class ManyHeads(Protocol):
    """Losses and metrics of several linear heads at once, each with its own options."""

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Training losses [heads] of outputs [heads, examples, width] and targets [heads, examples, ...]."""

    def metrics(self, outputs: Tensor, targets: Tensor) -> list[dict[str, float | None]]:
        """What ``compute`` gives for each head; outputs [heads, examples, width], targets [examples, ...]."""


@runtime_checkable
class BatchableTask(Task, Protocol):
    """A task whose heads can be trained side by side on the same features: it has the capability batchable_head."""

    def together(self, tasks: Sequence[Any]) -> ManyHeads | None:
        """Losses and metrics of the heads of these tasks, which differ in what their ``batch_key`` leaves out.

        None where the data are such that there are none.
        """

    def target(self, targets: Mapping[str, Tensor]) -> Tensor:
        """The targets of a batch as one tensor [examples, ...]."""


@runtime_checkable
class CalibratedTask(Task, Protocol):
    """A task whose model may divide its outputs by a number, once that is fitted."""

    calibrated: bool  # is it to be fitted?

    def fitted_temperature(
        self, outputs: Tensor, targets: Mapping[str, Tensor], meta: Mapping[str, Any]
    ) -> temperature.Temperature:
        """Fit it to outputs [examples, ...] and what is known of their examples, in the same order."""


@runtime_checkable
class ForeseeingTask(Task, Protocol):
    """A task that knows of targets alone whether models can be chosen by them."""

    def undefined(self, targets: Mapping[str, Tensor]) -> str:
        """Why the primary metric has no value on targets, whatever is predicted; empty where it has one."""


@runtime_checkable
class ViewedTask(Task, Protocol):
    """A task that can predict for several views of an example together."""

    def mean_of_views(self, outputs: Tensor) -> Tensor:
        """Outputs [examples, ...] that stand for the mean prediction; outputs of each view [views, examples, ...]."""


@runtime_checkable
class TabulatedTask(Task, Protocol):
    """A task whose predictions are counted name by name."""

    def tables(self, records: Iterable[Mapping[str, Any]], targets: Mapping[str, Tensor]) -> Tables:
        """What its recorded predictions say of each name; ``targets`` are in the order of the records."""


@runtime_checkable
class SolvableTask(Task, Protocol):
    """A task whose linear head has an exact solution on frozen features."""

    solvers: Sequence[str]  # of the choices of ``strategy.phases.solver``, beside ``gradient``

    def solve(
        self, solver: str, features: Tensor, targets: Mapping[str, Tensor], weights: Tensor | None, head: nn.Linear
    ) -> None:
        """Put the solution on features [examples, width] into ``head``, by one of its solvers.

        ``weights``: of the examples [examples]; None where all count the same.
        """
