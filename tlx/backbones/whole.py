"""Networks that own their loss and their predictions, such as detectors and translators: the form ``whole``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from tlx.columns.batch import Batch
from tlx.columns.schema import Schema


@runtime_checkable
class WholeModel(Protocol):
    """A network whose family knows its loss; a task of the form ``whole`` gives it metrics and pictures.

    It is a ``torch.nn.Module`` as well. Columns have the names of the data, in the schema and in every batch.
    """

    def set_outputs(self, schema: Schema) -> Sequence[str]:
        """Make the last layers fit the targets, with fresh weights; the names of their parameters."""

    def loss(self, batch: Batch) -> tuple[Tensor, float | Tensor]:
        """The loss in train and in eval mode, and what it is a mean of: examples, tokens, matched boxes."""

    def predict(self, batch: Batch, **options: Any) -> list[dict[str, Any]]:
        """One record per example, plain enough for a JSON line."""

    def stages(self) -> Mapping[str, Sequence[str]]:
        """Names of parameters by stage, shallow to deep, without those of :meth:`set_outputs`."""

    def example(self, count: int) -> Batch:
        """Empty examples with the targets that the loss needs, for passes that only look at shapes."""
