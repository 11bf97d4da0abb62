"""A trial that begins from the whole trained model of another run (``strategy.init``): backbone, head and columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from tlx.backbones.backbone import Backbone
from tlx.columns import Column
from tlx.columns.input_spec import TextSpec
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue, WeightsError
from tlx.config.schema import Trial
from tlx.data import schema_file
from tlx.tasks.network import TEMPERATURE
from tlx.training import earlier_runs, rebuild

KEY = "strategy.init"
_STATISTICS = ("mean", "deviation", "std")  # of train: a run's need not be those of another
_SHOWN = 3  # classes that are named


def check(trial: Trial, schema: Schema) -> list[str]:
    """See that a trial can begin from the runs that it names; returns what of their data is another now, a line each.

    Raises:
        WeightsError: One of them is not there, or not finished.
        ConfigError: The model of ``strategy.init`` reads other columns, or knows other classes.
    """
    weights = trial.backbone.weights
    if trial.strategy.init == "pretrained" and weights.startswith(earlier_runs.RUN):
        earlier_runs.folder(weights, trial.tracking, "backbone.weights")
    if not (begins := earlier_runs.begins_from(trial)):
        return []
    before = schema_file.read(earlier_runs.folder(begins, trial.tracking, KEY))
    problems = [ConfigIssue(KEY, message, begins) for message in _differences(before, schema)]
    if problems:
        way = "the whole model fits none but the same columns and classes; its backbone alone:"
        problems.append(ConfigIssue(KEY, f"{way} backbone.weights={begins}"))
        raise ConfigError(problems)
    return list(_changes(before, schema))


def begin(model: nn.Module, backbone: Backbone, earlier: nn.Module, its: Backbone, source: str) -> None:
    """Give a model every parameter and buffer of an earlier one; raises :class:`WeightsError` where they differ."""
    state, own = rebuild.parameters_and_buffers(earlier), rebuild.parameters_and_buffers(model)
    state.pop(TEMPERATURE, None)  # it belonged to those weights: whoever trains on fits another
    state |= {TEMPERATURE: own[TEMPERATURE]} if TEMPERATURE in own else {}
    try:
        rebuild.check_fits(model, {name: list(tensor.shape) for name, tensor in state.items()})
    except WeightsError as error:
        message = f"is of another network than this one: {error.problems[0].message}; backbone and task as in that run?"
        raise WeightsError([ConfigIssue(KEY, message, source)]) from error
    if _vocabularies(backbone) != _vocabularies(its):
        raise WeightsError([ConfigIssue(KEY, "its tokenizer knows other tokens; choose that run's backbone", source)])
    rebuild.fill(model, state)


def _vocabularies(backbone: Backbone) -> list[Any]:
    return [spec.tokenizer.get_vocab() for spec in backbone.takes.values() if isinstance(spec, TextSpec)]


def _differences(before: Schema, now: Schema) -> Iterator[str]:
    """Why a network of these columns is none of those."""
    for what, old, new in (("inputs", before.inputs, now.inputs), ("targets", before.targets, now.targets)):
        if list(old) != list(new):
            yield f"its {what} are {', '.join(old)}; those of the data are {', '.join(new)}"
            continue
        for name, column in old.items():
            one, other = _settings(column), _settings(new[name])
            for key in sorted(one.keys() | other.keys()):
                if one.get(key) != other.get(key):
                    yield f"{key} of {name!r}: {_difference(one.get(key), other.get(key))}"


def _settings(column: Column) -> dict[str, Any]:
    return {key: value for key, value in column.settings().items() if key not in (*_STATISTICS, "unknown")}


def _difference(old: Any, new: Any) -> str:
    if not (isinstance(old, (list, tuple)) and isinstance(new, (list, tuple))):
        return f"{old} in the run, {new} in the data"
    parts = [
        f"{len(names)} {which}: {', '.join(map(str, names[:_SHOWN]))}{' ...' if len(names) > _SHOWN else ''}"
        for which, names in (
            ("in the run alone", [one for one in old if one not in new]),
            ("in the data alone", [one for one in new if one not in old]),
        )
        if names
    ]
    return "; ".join(parts) or "the same, in another order"


def _changes(before: Schema, now: Schema) -> Iterator[str]:
    """Numbers that are standardised otherwise now, although the network goes on from where it was."""
    columns = {**before.inputs, **before.targets}
    for new in (*now.inputs.values(), *now.targets.values()):
        old = columns[new.name]
        values = [(getattr(one, "mean", 0.0), getattr(one, "deviation", 1.0)) for one in (old, new)]
        if values[0] != values[1]:
            then, here = (f"{mean:.4g} ± {deviation:.4g}" for mean, deviation in values)
            yield f"{new.name!r} is standardised by {here}; the model that training begins from knew {then}"
