"""All of a trained model in a folder: weights, configuration, classes and tokenizer; no pickle, no network, no data.

A bundle is read as a stranger's: nothing in it is run, nothing outside of it is read, no connection is made, and the
network is built only as large as the weights that lie there.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tlx.backbones.backbone import Backbone
from tlx.backbones.load import load
from tlx.backbones.weights import content
from tlx.columns import Category, Column, Image, Number
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.columns.schema import Schema
from tlx.config.backbone import BytesBackbone, TimmBackbone, TransformersBackbone
from tlx.config.errors import ConfigError, ConfigIssue, RequestError, WeightsError
from tlx.config.schema import Trial
from tlx.files import durable, foreign
from tlx.prediction.model import Model
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs import result as results
from tlx.serving import encoder, facts, growth
from tlx.serving.facts import FILE as FACTS
from tlx.serving.offline import offline
from tlx.tasks.load import load as load_task
from tlx.training.network import Trained, assemble

WEIGHTS, ENCODER = "model.safetensors", encoder.FOLDER
_NAMES = (WEIGHTS, FACTS, layout.CONFIG, ENCODER)
_SEEN = 1 << 24  # pixels that a network may see: 4096 x 4096
_READ = 1 << 20  # tokens that it may read
Shapes = dict[str, list[int]]


def model_of(found: Trained) -> Model:
    """The model of a finished trial; raises :class:`ConfigError` for columns it could not answer for."""
    if fault := facts.serves(found.schema):
        raise ConfigError([ConfigIssue("export", fault)])
    return Model(found)


def write(found: Trained, run: Path, folder: Path) -> None:
    """Put a finished trial's model, as built and restored, into a folder of its own.

    Args:
        found: The trial with its trained weights.
        run: Its run folder.
        folder: A new or an empty one.

    Raises:
        ConfigError: The folder is something else.
        OSError: The disk refuses.
    """
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise ConfigError([ConfigIssue("bundle", "expected a new or an empty folder; name another one", folder)])
    durable.make_folder(folder)
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in own(found.model).items()}
    with durable.replacing(folder / WEIGHTS) as partial:
        save_file(state, partial)
    durable.write(folder / layout.CONFIG, foreign.read(run / layout.CONFIG))
    module = found.backbone.module
    network = getattr(module, "encoder", None)
    tokenizer = next((one.tokenizer for one in found.backbone.takes.values() if isinstance(one, TextSpec)), None)
    if isinstance(folders.read_config(run).backbone, TransformersBackbone) and network is not None:
        encoder.write(folder / ENCODER, network.config, tokenizer)
    facts.write(folder, found.schema, content(state), results.read_result(run).identity)


def own(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, those left out of ``state_dict`` too; shared ones once."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def read(folder: Path) -> Model:
    """The model in a bundle.

    Args:
        folder: What :func:`write` filled, here or elsewhere.

    Returns:
        The model in eval mode, which answered once.

    Raises:
        WeightsError: The bundle is not what tlx writes, or its weights are not those that were written.
    """
    try:
        with offline():
            return _read(folder)
    except WeightsError:
        raise
    except RequestError as error:
        raise WeightsError(error.problems) from error
    except FileNotFoundError as error:
        raise _refuse(Path(str(error.filename or error)).name, "is not there") from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # libraries raise anything on settings that no writer made; Rust panics are no more
        reason = (str(error) or type(error).__name__).splitlines()[0][:200].replace(str(folder), "bundle")
        raise _refuse("model", f"cannot be built from it: {reason}") from error


def _read(folder: Path) -> Model:
    _check_files(folder)
    try:
        schema, expected, identity = facts.read(folder)
    except foreign.Unreadable as error:
        raise _refuse(FACTS, str(error)) from error
    trial = folders.read_config(folder)
    _check_config(trial, folder)
    shapes = _shapes(folder / WEIGHTS)
    size = (folder / WEIGHTS).stat().st_size
    with growth.bounded(len(shapes), size), torch.device("meta"):  # allocates nothing
        _fits(_build(trial, schema).model, shapes)
    with growth.bounded(len(shapes), size):
        built = _build(trial, schema)
    state = load_file(folder / WEIGHTS)
    if content(state) != expected:
        raise _refuse("model", "is not what was written: its tensors have other bits")
    with torch.no_grad():
        for name, tensor in own(built.model).items():
            tensor.copy_(state[name])
    model = Model(built, identity)
    _check_answer(model)
    return model


def _check_files(folder: Path) -> None:
    """See that there are the files of a bundle, that they are files, and nothing else."""
    with os.scandir(folder) as entries:
        names = {entry.name: entry for entry in entries}
    for name in sorted(names.keys() - set(_NAMES)):
        raise _refuse(name, "is not a file that tlx writes into a bundle; remove it")
    for name in _NAMES:
        if name == ENCODER:
            continue
        if name not in names:
            raise _refuse(name, "is not there")
        if not names[name].is_file(follow_symlinks=False):
            raise _refuse(name, "is a symbolic link, or not a regular file")


def _check_config(trial: Trial, folder: Path) -> None:
    """See that the configuration builds from the bundle alone, and have it do so."""
    backbone = trial.backbone
    backbone.weights = "none"  # they are in the bundle, whatever the network was trained from
    asked = None
    if isinstance(backbone, TimmBackbone):
        asked = encoder.leads(backbone.args)
    elif isinstance(backbone, BytesBackbone):
        asked = encoder.leads(backbone.settings)
        try:
            encoder.check_architecture(backbone.architecture)
        except foreign.Unreadable as error:
            raise _refuse("backbone.architecture", str(error)) from None
    elif isinstance(backbone, TransformersBackbone):
        encoder.check(folder / ENCODER)
        backbone.name = str(folder / ENCODER)
    if asked is not None:
        raise _refuse("backbone", f"its settings name something outside of the bundle: {asked}")


def _shapes(file: Path) -> Shapes:
    """The shapes of the tensors by name, from the file's header; raises :class:`WeightsError` for too large a file."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = file.stat().st_size
    if size > memory:
        raise _refuse(WEIGHTS, f"has {size >> 20:,} MB; this machine has {memory >> 20:,} MB of memory")
    with safe_open(file, framework="pt") as opened:
        return {name: opened.get_slice(name).get_shape() for name in opened.keys()}  # noqa: SIM118 (no mapping)


def _fits(network: nn.Module, shapes: Shapes) -> None:
    there = own(network)
    if there.keys() != shapes.keys():
        raise _refuse("model", "has other tensors than this machine builds (library versions?)")
    for name, tensor in there.items():
        if list(tensor.shape) != list(shapes[name]):
            raise _refuse("model", f"{name} has the shape {shapes[name]}, its configuration asks for {[*tensor.shape]}")


def _build(trial: Trial, schema: Schema) -> Trained:
    backbone: Backbone = load(trial.backbone, columns=schema.inputs, pretrained=False)
    for spec in backbone.takes.values():
        if isinstance(spec, ImageSpec):
            if not (1 <= spec.height * spec.width <= _SEEN and 0 < spec.crop <= 1 and math.isfinite(sum(spec.mean))):
                found = f"{spec.height} x {spec.width}"
                raise _refuse("backbone.input", f"expected at most {_SEEN:,} pixels, found {found}")
        elif isinstance(spec, TextSpec) and not 1 <= spec.max_length <= _READ:
            raise _refuse("backbone.max_length", f"expected 1 to {_READ:,} tokens, found {spec.max_length}")
    task = load_task(trial.task, schema)
    network = task.build(backbone, schema)
    assemble(trial, network, backbone)
    return Trained(trial, schema, backbone, task, network)


def _check_answer(model: Model) -> None:
    """Have it answer once, so that what cannot work is known before anybody asks."""
    rows = _vocabulary(model.network)
    for spec in model.specs.values():
        if isinstance(spec, TextSpec) and rows is not None and len(spec.tokenizer) > rows:
            raise _refuse(ENCODER, f"its tokenizer knows {len(spec.tokenizer):,} tokens, the network {rows:,}")
    model.predict([{name: _some(column) for name, column in model.inputs.items()}])


def _some(column: Column) -> Any:
    """A value of a column."""
    if isinstance(column, Image):
        return np.zeros((8, 8, column.channels), np.uint8)
    if isinstance(column, Number):
        return column.mean
    if isinstance(column, Category):
        return next(iter(column.categories), "")
    return "a text"


def _vocabulary(network: nn.Module) -> int | None:
    module = getattr(getattr(network, "backbone", None), "encoder", None)
    table = module.get_input_embeddings() if module is not None else None
    return int(table.num_embeddings) if isinstance(table, nn.Embedding) else None


def _refuse(what: str, message: str) -> WeightsError:
    return WeightsError([ConfigIssue(f"bundle: {what}", message)])
