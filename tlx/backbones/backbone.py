"""What every family builds: a network without a head, what it takes, and the forms of features that it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from tlx.backbones import weights
from tlx.backbones.whole import WholeModel
from tlx.columns.input_spec import InputSpec, arguments

Form = Literal["vector", "tokens", "frames", "pyramid", "whole"]


class Extractor(Protocol):
    """Features of one form at several depths, as a family computes them."""

    def __call__(self, inputs: Mapping[str, Any], depths: Sequence[int]) -> list[Tensor]:
        """One tensor for each depth; ``inputs`` are the arguments of the backbone's forward."""


@dataclass
class Backbone:
    """A network ready for a head: ``module(**inputs)`` gives features [batch, width].

    Args:
        module: The network.
        width: Features of its vector.
        takes: By argument of its forward, what it expects; the kind of a spec is the kind of a column.
        match: How the pretrained weights fitted; None when there are none.
        forms: What else it gives than a vector: ``tokens`` [batch, tokens, width], ``pyramid`` [batch, width, h, w].
        widths: Features at each depth, of the forms that have several.
        stages: Regular expressions over parameter names, one per stage from shallow to deep, for a network that cannot
            be cut by its own structure.
    """

    module: nn.Module
    width: int
    takes: Mapping[str, InputSpec]
    match: weights.LoadReport | None = None
    forms: Mapping[Form, Extractor] = field(default_factory=dict)
    widths: Mapping[Form, Sequence[int]] = field(default_factory=dict)
    stages: Sequence[str] = ()

    @property
    def gives(self) -> frozenset[Form]:
        """The forms of features that it has; a model that owns its loss has no other."""
        return frozenset({"whole"}) if isinstance(self.module, WholeModel) else frozenset({"vector", *self.forms})

    def features(self, inputs: Mapping[str, Any], form: Form = "vector", depths: Sequence[int] = (-1,)) -> list[Tensor]:
        """Features of one form, a tensor for each depth.

        Args:
            inputs: The arguments of its forward.
            form: One that it gives.
            depths: Blocks, counted from the input, or from the end where negative; a vector has the last alone.

        Raises:
            ValueError: It does not give this form, or a vector was asked for at another depth.
        """
        if form in self.forms:
            return self.forms[form](inputs, depths)
        if form != "vector" or list(depths) != [-1]:
            raise ValueError(f"it gives {', '.join(sorted(self.gives))}; a vector at depth -1 alone")
        return [self.module(**inputs)]

    def example(self, count: int, tokens: int | None = None) -> dict[str, Any]:
        """Empty arguments of its forward for ``count`` examples; texts have ``tokens`` tokens."""
        values = {argument: spec.example(count, tokens) for argument, spec in self.takes.items()}
        return arguments({argument: argument for argument in values}, values)
