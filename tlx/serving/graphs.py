"""A trained network as a graph: ONNX, or torch.export's ``.pt2``, run once and compared before it is handed out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tlx.columns import Number
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable
from tlx.serving.model import Model

TOLERANCE = 1e-4  # between logits, absolute and relative
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}


class Outputs(nn.Module):
    """Prepared inputs to logits [batch, classes], or numbers in their own units [batch, numbers], by position."""

    def __init__(self, model: Model, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network = model.network
        self.column = model.column.name
        self.names = names
        numbers = [column for column in model.schema.targets.values() if isinstance(column, Number)]
        self.register_buffer("deviation", torch.tensor([column.deviation for column in numbers]))
        self.register_buffer("mean", torch.tensor([column.mean for column in numbers]))
        self.output = "prediction" if numbers else "logits"

    def forward(self, *inputs: Tensor) -> Tensor:
        """Images [batch, channels, height, width], or ids and mask [batch, tokens]."""
        value = dict(zip(self.names, inputs, strict=True)) if len(inputs) > 1 else inputs[0]
        outputs: Tensor = self.network({self.column: value})
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
    names, inputs, other = _examples(model)
    network = Outputs(model, names).eval()
    free = {0: torch.export.Dim("batch", min=1, max=1024)}
    if isinstance(model.spec, TextSpec):
        free[1] = torch.export.Dim("tokens", min=2, max=model.spec.max_length)
    shapes = tuple(free for _ in inputs)
    with durable.replacing(path) as partial:
        try:
            with torch.no_grad():
                if kind == "onnx":
                    found = _onnx(network, inputs, names, shapes, partial)
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


def _examples(model: Model) -> tuple[tuple[str, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Names, inputs to trace with, and others of another size to compare on."""
    generator = torch.Generator().manual_seed(0)
    spec = model.spec
    if isinstance(spec, ImageSpec):
        images = [torch.randn(n, spec.channels, spec.height, spec.width, generator=generator) for n in (2, 3)]
        return ("x",), (images[0],), (images[1],)
    assert isinstance(spec, TextSpec)
    most = spec.max_length
    ids = [torch.randint(1, 50, (n, min(most, tokens)), generator=generator) for n, tokens in ((2, 16), (3, 9))]
    return ("input_ids", "attention_mask"), (ids[0], torch.ones_like(ids[0])), (ids[1], torch.ones_like(ids[1]))


def _torch(network: nn.Module, inputs: tuple[Tensor, ...], shapes: Any, path: Path) -> Any:
    with path.open("wb") as stream:
        torch.export.save(torch.export.export(network, inputs, dynamic_shapes=(shapes,)), stream)
    with path.open("rb") as stream:
        return torch.export.load(stream).module()


def _onnx(network: Outputs, inputs: tuple[Tensor, ...], names: tuple[str, ...], shapes: Any, path: Path) -> Any:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise ConfigError([ConfigIssue("export", "needs more packages: pip install 'tlx[export]'", "onnx")]) from error
    torch.onnx.export(
        network,
        inputs,
        path,
        input_names=list(names),
        output_names=[network.output],
        dynamic_shapes=(shapes,),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda *given: session.run(None, dict(zip(names, (one.numpy() for one in given), strict=True)))[0]
