"""All of a trained model in a folder: weights, configuration, classes and tokenizer; no pickle, no network, no data.

Plugins are named in it, not held: without them it is refused.

A bundle is read as a stranger's: nothing in it is run, nothing outside of it is read, no connection is made, and the
network is built only as large as the weights that lie there.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from torch import nn

from tlx.backbones import architecture
from tlx.backbones.weights import content
from tlx.columns import Category, Column, Image, Number
from tlx.columns.input_spec import TextSpec
from tlx.config.errors import ConfigError, ConfigIssue, WeightsError
from tlx.files import durable, foreign
from tlx.prediction.model import Model
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs import result as results
from tlx.serving import facts
from tlx.serving.facts import FILE as FACTS
from tlx.training import rebuild
from tlx.training.network import Trained
from tlx.training.rebuild import parameters_and_buffers

WEIGHTS = "model.safetensors"
_OPTIONAL = (architecture.FOLDER, layout.PLUGINS)
_NAMES = (WEIGHTS, FACTS, layout.CONFIG, *_OPTIONAL)


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
    if not durable.is_new_or_empty(folder):
        raise ConfigError([ConfigIssue("bundle", "expected a new or an empty folder; name another one", folder)])
    durable.make_folder(folder)
    state = {
        name: tensor.detach().cpu().clone().contiguous() for name, tensor in parameters_and_buffers(found.model).items()
    }
    with durable.replacing(folder / WEIGHTS) as partial:
        save_file(state, partial)
    durable.write(folder / layout.CONFIG, foreign.read(run / layout.CONFIG))
    if (run / layout.PLUGINS).exists():
        durable.write(folder / layout.PLUGINS, foreign.read(run / layout.PLUGINS))
    architecture.keep(folder, found.trial.backbone, found.backbone)
    facts.write(folder, found.schema, content(state), results.read_result(run).identity)


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
        with rebuild.reading(folder):
            return _read(folder)
    except WeightsError as error:
        raise WeightsError([replace(one, key=f"bundle: {one.key}") for one in error.problems]) from error


def _read(folder: Path) -> Model:
    _check_files(folder)
    try:
        schema, expected, identity = facts.read(folder)
    except foreign.Unreadable as error:
        raise rebuild.refusal(FACTS, str(error)) from error
    trial = folders.read_config(folder)
    rebuild.warn_of_changed_code(folder)
    task, backbone, network = rebuild.build(trial, schema, folder, [folder / WEIGHTS])
    state = load_file(folder / WEIGHTS)
    if content(state) != expected:
        raise rebuild.refusal("model", "is not what was written: its tensors have other bits")
    rebuild.fill(network, state)
    model = Model(Trained(trial, schema, backbone, task, network.eval()), identity)
    _check_answer(model)
    return model


def _check_files(folder: Path) -> None:
    """See that there are the files of a bundle, that they are files, and nothing else."""
    with os.scandir(folder) as entries:
        names = {entry.name: entry for entry in entries}
    for name in sorted(names.keys() - set(_NAMES)):
        raise rebuild.refusal(name, "is not a file that tlx writes into a bundle; remove it")
    for name in _NAMES:
        if name == architecture.FOLDER or (name in _OPTIONAL and name not in names):
            continue
        if name not in names:
            raise rebuild.refusal(name, "is not there")
        if not names[name].is_file(follow_symlinks=False):
            raise rebuild.refusal(name, "is a symbolic link, or not a regular file")


def _check_answer(model: Model) -> None:
    """Have it answer once, so that what cannot work is known before anybody asks."""
    rows = _vocabulary(model.network)
    for spec in model.specs.values():
        if isinstance(spec, TextSpec) and rows is not None and len(spec.tokenizer) > rows:
            message = f"its tokenizer knows {len(spec.tokenizer):,} tokens, the network {rows:,}"
            raise rebuild.refusal(architecture.FOLDER, message)
    model.predict([{name: _some(column) for name, column in model.inputs.items()}])


def _some(column: Column) -> Any:
    """A value of a column."""
    if isinstance(column, Image):
        channels = max([column.channels, *(band + 1 for band in column.bands)])
        shape = (channels + 8, channels + 8, channels)
        return np.zeros(shape, np.uint8) if column.is_of_bytes else np.full(shape, sum(column.scale) / 2, np.float32)
    if isinstance(column, Number):
        return column.mean
    if isinstance(column, Category):
        return next(iter(column.categories), "")
    return "a text"


def _vocabulary(network: nn.Module) -> int | None:
    module = getattr(getattr(network, "backbone", None), "encoder", None)
    table = module.get_input_embeddings() if module is not None else None
    return int(table.num_embeddings) if isinstance(table, nn.Embedding) else None
