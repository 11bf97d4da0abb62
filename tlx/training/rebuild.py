"""Build the network of a run folder or a bundle from what lies there alone: its settings, its columns, its tensors.

The folder is read as a stranger's: nothing in it is run, nothing outside of it is read, no connection is made, and the
network is built only as large as the tensors that lie there. That holds for a folder with all of them; one that refers
to weights elsewhere needs those, see :func:`tlx.training.network.trained`.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from tlx.backbones import architecture, growth
from tlx.backbones.backbone import Backbone
from tlx.backbones.load import load
from tlx.backbones.offline import offline
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.columns.schema import Schema
from tlx.config import backbone as options
from tlx.config.backbone import BytesBackbone, TimmBackbone, TransformersBackbone
from tlx.config.errors import ConfigIssue, RequestError, WeightsError
from tlx.config.schema import Trial
from tlx.files import foreign
from tlx.files.printable import printable
from tlx.runs import plugin_record
from tlx.tasks.load import load as load_task
from tlx.tasks.protocol import Task
from tlx.training.assembly import assemble
from tlx.training.precision import in_floats

_SEEN = 1 << 24  # pixels that a network may see: 4096 x 4096
_READ = 1 << 20  # tokens that it may read
_NAMED = 5  # files that a warning names
Shapes = dict[str, list[int]]


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Let nothing but a :class:`WeightsError` come out of the block, and no connection be made in it."""
    try:
        with offline():
            yield
    except WeightsError:
        raise
    except RequestError as error:
        raise WeightsError(error.problems) from error
    except FileNotFoundError as error:
        raise refusal(Path(str(error.filename or error)).name, "is not there") from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # libraries raise anything on settings that no writer made; Rust panics are no more
        reason = (str(error) or type(error).__name__).splitlines()[0][:200].replace(str(folder), "the folder")
        raise refusal("model", f"cannot be built from the folder: {reason}") from error


def build(trial: Trial, schema: Schema, folder: Path, files: Sequence[Path]) -> tuple[Task, Backbone, nn.Module]:
    """The network that a folder's configuration asks for, whose tensors are still to be filled in.

    Args:
        trial: The folder's configuration.
        schema: The columns that it names.
        folder: Where the settings and the tokenizer of a transformers backbone lie.
        files: Of safetensors: together they hold every parameter and buffer of the network.

    Returns:
        The task, the backbone, and its network with random weights.

    Raises:
        WeightsError: The settings lead elsewhere, or ask for another network than the tensors are of.
        Exception: What libraries raise on settings that tlx did not write; see :func:`reading`.
    """
    trial = _settled(trial, folder)
    shapes, size = shapes_in(files), sum(file.stat().st_size for file in files)
    with growth.bounded(len(shapes), size), torch.device("meta"):  # allocates nothing
        check_fits(parts(trial, schema)[2], shapes)
    with growth.bounded(len(shapes), size):
        task, backbone, network = parts(trial, schema)
    return task, backbone, in_floats(network, trial.hardware.precision)


def parameters_and_buffers(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, those left out of ``state_dict`` too; shared ones once."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


@torch.no_grad()
def fill(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Set every parameter and every buffer."""
    for name, tensor in parameters_and_buffers(network).items():
        tensor.copy_(state[name])


def warn_of_changed_code(folder: Path) -> None:
    """Warn of plugins whose code is another than when a folder was written: its answers may be others, too.

    Raises:
        WeightsError: What the folder says of them is not what was written.
    """
    try:
        changed = plugin_record.changed_files(folder)
    except foreign.Unreadable as error:
        raise refusal(plugin_record.FILE, str(error)) from error
    if changed:
        names = printable(", ".join(changed[:_NAMED]) + (" ..." if len(changed) > _NAMED else ""))
        warnings.warn(
            f"tlx: {names}: other code than this model was trained with, and answers may differ", stacklevel=2
        )


def refusal(what: str, message: str) -> WeightsError:
    """The error for a folder that is not what tlx writes."""
    return WeightsError([ConfigIssue(what, message)])


def _settled(trial: Trial, folder: Path) -> Trial:
    """The trial that builds from the folder alone; raises :class:`WeightsError` where its settings lead elsewhere."""
    backbone = replace(trial.backbone, weights="none")  # they lie there, whatever the network was trained from
    check_settings(backbone)
    if isinstance(backbone, TransformersBackbone):
        architecture.check(folder / architecture.FOLDER)
        backbone = replace(backbone, name=str(folder / architecture.FOLDER))
    return replace(trial, backbone=backbone)


def check_settings(backbone: options.Backbone) -> None:
    """See that a backbone's settings name no file, no code and no other network; raises :class:`WeightsError`."""
    asked = None
    if isinstance(backbone, TimmBackbone):
        asked = architecture.leads(backbone.args)
    elif isinstance(backbone, BytesBackbone):
        asked = architecture.leads(backbone.settings)
        try:
            architecture.check_architecture(backbone.architecture)
        except foreign.Unreadable as error:
            raise refusal("backbone.architecture", str(error)) from None
    if asked is not None:
        raise refusal("backbone", f"its settings name something outside of the folder: {asked}")


def shapes_in(files: Sequence[Path]) -> Shapes:
    """The shapes of the tensors by name, from the files' headers; raises :class:`WeightsError` for too large ones."""
    found: Shapes = {}
    for file in files:
        foreign.reading(file).close()  # no link, no pipe
        check_memory(file.name, file.stat().st_size)
        try:
            with safe_open(file, framework="pt") as opened:
                part = {name: opened.get_slice(name).get_shape() for name in opened.keys()}  # noqa: SIM118 (no mapping)
        except SafetensorError as error:
            raise refusal(file.name, f"cannot be read: {str(error).splitlines()[0]}") from error
        if twice := sorted(found.keys() & part.keys()):
            raise refusal(file.name, f"holds a tensor that another file holds as well: {twice[0]}")
        found |= part
    return found


def check_memory(what: str, size: int) -> None:
    """See that so many bytes fit into this machine's memory; raises :class:`WeightsError`."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise refusal(what, f"has {size >> 20:,} MB; this machine has {memory >> 20:,} MB of memory")


def check_fits(network: nn.Module, shapes: Shapes) -> None:
    """See that these are a network's tensors, by name and shape; raises :class:`WeightsError`."""
    there = parameters_and_buffers(network)
    if there.keys() != shapes.keys():
        odd = sorted(there.keys() ^ shapes.keys())
        found = f"{', '.join(odd[:3])}{' ...' if len(odd) > 3 else ''}"
        raise refusal("model", f"has other tensors than this machine builds (library versions?): {found}")
    for name, tensor in there.items():
        if list(tensor.shape) != list(shapes[name]):
            raise refusal("model", f"{name} has the shape {shapes[name]}, its configuration asks for {[*tensor.shape]}")


def parts(trial: Trial, schema: Schema) -> tuple[Task, Backbone, nn.Module]:
    """Task, backbone and network with random weights; raises :class:`WeightsError` for inputs beyond all measure."""
    backbone: Backbone = load(trial.backbone, columns=schema.inputs, pretrained=False)
    for spec in backbone.takes.values():
        if isinstance(spec, ImageSpec):
            if not (1 <= spec.height * spec.width <= _SEEN and 0 < spec.crop <= 1 and math.isfinite(sum(spec.mean))):
                found = f"{spec.height} x {spec.width}"
                raise refusal("backbone.input", f"expected at most {_SEEN:,} pixels, found {found}")
        elif isinstance(spec, TextSpec) and not 1 <= spec.max_length <= _READ:
            raise refusal("backbone.max_length", f"expected 1 to {_READ:,} tokens, found {spec.max_length}")
    task = load_task(trial.task, schema)
    network = task.build(backbone, schema)
    assemble(trial, network, backbone)
    return task, backbone, network
