"""The network of a task whose model owns its loss: stages by name, a loss of a batch, predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from tlx.backbones.backbone import Backbone
from tlx.backbones.partition.stage import HEAD, Stage, verify
from tlx.backbones.whole import WholeModel
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec, InputSpec
from tlx.columns.schema import Schema
from tlx.tasks.network import bind


class WholeNetwork(nn.Module):
    """A :class:`~tlx.backbones.whole.WholeModel` as a trial trains it; what it calls new is the stage ``head``."""

    def __init__(self, backbone: Backbone, schema: Schema) -> None:
        """Raises :class:`ConfigError` where the model cannot read the inputs of the data."""
        super().__init__()
        self.takes = backbone.takes
        self.reads = bind(backbone.takes, schema.inputs)  # argument to column
        whole = backbone.module
        assert isinstance(whole, WholeModel)
        self.new = [f"backbone.{name}" for name in whole.set_outputs(schema)]
        self.backbone = backbone.module

    @property
    def specs(self) -> dict[str, InputSpec]:
        """By column, what the model expects of it."""
        return {column: self.takes[argument] for argument, column in self.reads.items()}

    @property
    def whole(self) -> WholeModel:
        """The model itself."""
        assert isinstance(self.backbone, WholeModel)
        return self.backbone

    def cut(self) -> list[Stage]:
        """The stages that the model names, and the head; raises :class:`ValueError` unless they hold all parameters."""
        named = self.whole.stages()
        found = [Stage(name, self, tuple(f"backbone.{one}" for one in names)) for name, names in named.items()]
        found.append(Stage(HEAD, self, tuple(self.new)))
        verify(self, found)
        return found

    def loss(self, batch: Batch) -> tuple[Tensor, float | Tensor]:
        """The loss, and what it is a mean of."""
        return self.whole.loss(self._as_floats(batch))

    def predict(self, batch: Batch, **options: Any) -> list[dict[str, Any]]:
        """One record per example."""
        return self.whole.predict(self._as_floats(batch), **options)

    def _as_floats(self, batch: Batch) -> Batch:
        """The batch with images normalised that are bytes."""
        dtype = next(self.parameters()).dtype
        images = {
            column: spec.as_floats(batch.inputs[column], dtype)
            for column, spec in self.specs.items()
            if isinstance(spec, ImageSpec) and column in batch.inputs
        }
        return replace(batch, inputs={**batch.inputs, **images}) if images else batch

    def forward(self, batch: Batch) -> Tensor:
        """The loss alone, for passes that count operations."""
        return self.loss(batch)[0]

    def example(self, count: int, tokens: int | None = None) -> Batch:
        """A batch without values for ``count`` examples; its texts are as long as the model makes them."""
        return self.whole.example(count)
