"""A trained network as a graph: ONNX, or torch.export's ``.pt2``, run once and compared before it is handed out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tlx.columns import Number
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable
from tlx.prediction.model import Model
from tlx.serving import preprocessing
from tlx.tasks.network import Network


@dataclass(frozen=True)
class Name:
    """Of an input of the graph: the column that it is made of, and which part, of texts (ids or mask)."""

    name: str
    column: str
    part: str = ""


TOLERANCE = 1e-4  # between logits, absolute and relative
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}


class Outputs(nn.Module):
    """Prepared inputs to logits [batch, classes], or numbers in their own units [batch, numbers], by position."""

    def __init__(self, model: Model, names: Sequence[Name]) -> None:
        super().__init__()
        self.network = model.predictor
        self.names = tuple(names)
        numbers = [column for column in model.schema.targets.values() if isinstance(column, Number)]
        self.register_buffer("deviation", torch.tensor([column.deviation for column in numbers]))
        self.register_buffer("mean", torch.tensor([column.mean for column in numbers]))
        self.output = preprocessing.output_of(model)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Images [batch, channels, height, width], ids and mask [batch, tokens], numbers and categories [batch]."""
        given: dict[str, Any] = {}
        for name, tensor in zip(self.names, inputs, strict=True):
            if name.part:
                given.setdefault(name.column, {})[name.part] = tensor
            else:
                given[name.column] = tensor
        outputs: Tensor = self.network(given)
        if self.output == "prediction":
            outputs = outputs * self.get_buffer("deviation") + self.get_buffer("mean")
        return outputs


def check_place(path: Path) -> None:
    """See that a new file can be written there; raises :class:`ConfigError`, and writes nothing."""
    if path.is_symlink():
        raise ConfigError([ConfigIssue("--out", "is a symbolic link; name a new file", path)])
    if path.is_dir():
        raise ConfigError([ConfigIssue("--out", f"is a folder; name a new file in it: {path / 'model.onnx'}", path)])
    if path.exists():
        raise ConfigError([ConfigIssue("--out", "is there already; name another file", path)])
    if not path.parent.is_dir():
        raise ConfigError([ConfigIssue("--out", f"there is no folder {path.parent}; make it first", path)])
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigError([ConfigIssue("--out", f"the folder {path.parent} cannot be written to; name another", path)])


def export(model: Model, kind: str, path: Path) -> float:
    """Write the graph beside its place, and put it there once it computes what the network does.

    Args:
        model: The network to follow.
        kind: ``onnx`` or ``torch``.
        path: A new file.

    Returns:
        The largest difference of its logits from the network's own, on inputs of another size.

    Raises:
        ConfigError: Torch cannot follow the network, the graph computes something else, or the place is taken.
    """
    check_place(path)
    names, inputs = _examples(model, 2, 16)
    other = _examples(model, 3, 9)[1]
    network = Outputs(model, names).eval()
    batch = torch.export.Dim("batch", min=1, max=1024)
    shapes = tuple({0: batch, **({1: _tokens(model, name)} if name.part else {})} for name in names)
    with durable.replacing(path) as partial:
        try:
            with torch.no_grad(), _in_full(model.network):
                if kind == "onnx":
                    found = _onnx(network, inputs, preprocessing.of(model), shapes, partial)
                else:
                    found = _torch(network, inputs, shapes, partial)
                expected, got = network(*other), torch.as_tensor(found(*other))
        except (RuntimeError, ValueError, TypeError) as error:
            first = (str(error) or type(error).__name__).strip().splitlines()[0]
            raise ConfigError([ConfigIssue("export", f"torch cannot follow this network: {first}", kind)]) from error
        worst = float((expected - got).abs().max())
        if not torch.allclose(expected, got, atol=TOLERANCE, rtol=TOLERANCE):
            message = f"the graph's outputs are up to {worst:.3g} off; nothing was written"
            raise ConfigError([ConfigIssue("export", message, kind)])
        check_place(path)  # somebody else may have put a file there since
    return worst


@contextmanager
def _in_full(network: nn.Module) -> Iterator[None]:
    """Have the backbone compute in full precision: a graph does, whatever the model was trained in."""
    if not isinstance(network, Network):
        yield
        return
    before, network.features_dtype = network.features_dtype, None
    try:
        yield
    finally:
        network.features_dtype = before


def _examples(model: Model, count: int, tokens: int) -> tuple[list[Name], tuple[Tensor, ...]]:
    """Inputs to trace with, or to compare on, with their names."""
    generator = torch.Generator().manual_seed(count)
    names, found = list[Name](), list[Tensor]()
    for argument, column in preprocessing.arguments_of(model).items():
        spec = model.specs.get(column)
        if isinstance(spec, ImageSpec):
            names.append(Name(argument, column))
            found.append(torch.randn(count, spec.channels, spec.height, spec.width, generator=generator))
        elif isinstance(spec, TextSpec):
            ids = torch.randint(1, 50, (count, min(spec.max_length, tokens)), generator=generator)
            names += [Name("input_ids", column, "input_ids"), Name("attention_mask", column, "attention_mask")]
            found += [ids, torch.ones_like(ids)]
        else:
            kinds = len(getattr(model.inputs[column], "categories", ()))
            is_number = isinstance(model.inputs[column], Number)
            names.append(Name(argument, column))
            found.append(
                torch.randn(count, generator=generator)
                if is_number
                else torch.randint(0, kinds + 1, (count,), generator=generator)
            )
    return names, tuple(found)


def _tokens(model: Model, name: Name) -> Any:
    spec = model.specs[name.column]
    assert isinstance(spec, TextSpec)
    return torch.export.Dim("tokens", min=2, max=spec.max_length)


def _torch(network: nn.Module, inputs: tuple[Tensor, ...], shapes: Any, path: Path) -> Any:
    with path.open("wb") as stream:
        torch.export.save(torch.export.export(network, inputs, dynamic_shapes=(shapes,)), stream)
    with path.open("rb") as stream:
        return torch.export.load(stream).module()


def _onnx(network: Outputs, inputs: tuple[Tensor, ...], told: dict[str, Any], shapes: Any, path: Path) -> Any:
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise ConfigError([ConfigIssue("export", "needs more packages: pip install 'tlx[export]'", "onnx")]) from error
    names = [name.name for name in network.names]
    torch.onnx.export(
        network,
        inputs,
        path,
        input_names=names,
        output_names=[network.output],
        dynamic_shapes=(shapes,),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {"tlx": json.dumps(told, ensure_ascii=False)})
    onnx.save(graph, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda *given: session.run(None, dict(zip(names, (one.numpy() for one in given), strict=True)))[0]
