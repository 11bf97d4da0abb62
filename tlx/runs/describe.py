"""What a trial is called and the few settings worth comparing it by, for MLflow and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from tlx.components.parts import CODE
from tlx.config.fields import SHORT
from tlx.config.schema import Trial
from tlx.config.select import select
from tlx.runs.code import states
from tlx.runs.folder import RunFolder
from tlx.runs.manifest import surroundings
from tlx.runs.metric import Metric
from tlx.runs.trained_content import FACT
from tlx.version import VERSION

_NAMED = ("backbone", "strategy", "dataset", "dataset.shots", "seed")  # what a trial's name says anyway


def label(trial: Trial, name: str) -> str:
    """A trial's name with the settings by which it differs from the others of its sweep: ``... lr=0.1 clip=0.5``."""
    keys = [key for key in trial.sweep.varied if key not in _NAMED]
    last = [key.rpartition(".")[2] for key in keys]
    short = {key: word if last.count(word) == 1 else key for key, word in zip(keys, last, strict=True)}
    return " ".join([name, *(f"{short[key]}={_written(select(trial, key))}" for key in keys)])


def _written(value: Any) -> str:
    if is_dataclass(value):
        return short_form(value)
    return f"{value:g}" if isinstance(value, float) else "null" if value is None else str(value)


def short_form(value: Any) -> str:
    """A part by the one word that stands for it, and by what else is not as usual: ``sgd(momentum=0.5)``."""
    word = next((str(getattr(value, one.name)) for one in fields(value) if one.metadata.get(SHORT)), "")
    usual = type(value)()
    others = [
        f"{one.name}={_written(getattr(value, one.name))}"
        for one in fields(value)
        if not one.metadata.get(SHORT) and getattr(value, one.name) != getattr(usual, one.name)
    ]
    return word + (f"({', '.join(others)})" if others else "")


def described(trial: Trial, place: RunFolder, metric: Metric | None = None) -> dict[str, Any]:
    """Name, MLflow experiment, at most 25 parameters, tags and data set, for the event log's first line.

    Args:
        trial: Its configuration.
        place: Its folder.
        metric: What models of its task are compared by, once that is known.
    """
    project = states()["project"]
    tags = {
        "tlx.kind": "reproduce" if place.reproduces else "train",
        "tlx.reproduces": place.reproduces,
        "tlx.version": VERSION,
        "tlx.identity": place.identity,
        "tlx.folder": str(place.path),
        "tlx.data_sha": place.fingerprints["data"],
        "tlx.weights_sha": place.fingerprints["weights"],
        "tlx.git_commit": project.get("commit", ""),
        "tlx.git_dirty": str("diff_sha" in project).lower() if project else "",
        "tlx.primary_metric": metric.name if metric is not None else "",
        "tlx.goal": metric.goal if metric is not None else "",
    }
    return {
        "name": label(trial, place.name),
        "experiment": experiment_name(trial),
        "tracking": {"kind": trial.tracking.kind, "uri": trial.tracking.uri},
        "params": parameters(trial),
        "tags": {name: value for name, value in tags.items() if value},
        "dataset": {"name": trial.dataset.name, "digest": place.fingerprints["data"]},
        **({"metric": asdict(metric)} if metric is not None else {}),
    }


def experiment_name(trial: Trial) -> str:
    """The MLflow experiment of a trial."""
    return trial.tracking.experiment or f"tlx/{trial.group or 'trials'}"


def beginning(trial: Trial) -> str:
    """The weights that a trial begins from, as its configuration names them."""
    init = trial.strategy.init
    return "none" if init == "scratch" else trial.backbone.weights if init == "pretrained" else init


def parameters(trial: Trial) -> dict[str, str]:
    """The settings trials are compared by, and those that the sweep varies."""
    chosen = {
        "backbone.name": trial.backbone.alias or trial.backbone.name,
        "backbone.weights": beginning(trial),
        "strategy.name": trial.strategy.name,
        "strategy.budget": trial.strategy.budget,
        "strategy.batch_size": trial.strategy.batch_size,
        "strategy.lr": trial.strategy.lr,
        "strategy.backbone_lr": trial.strategy.backbone_lr,
        "strategy.optimizer": trial.strategy.optimizer.name,
        "strategy.weight_decay": trial.strategy.optimizer.weight_decay,
        "strategy.schedule": trial.strategy.schedule.shape,
        "strategy.keep": trial.strategy.keep,
        "dataset.name": trial.dataset.name,
        "dataset.shots": trial.dataset.shots,
        "dataset.augment": trial.dataset.augment,
        "hardware.precision": trial.hardware.precision,
        "seed": trial.seed,
    }
    chosen |= {key: select(trial, key) for key in trial.sweep.varied if key not in (*chosen, *_NAMED)}
    return {
        name: short_form(value) if is_dataclass(value) else str(value)
        for name, value in chosen.items()
        if value is not None
    }


def observed(trial: Trial, facts: Mapping[str, str], rounding: Mapping[str, str], **data: Any) -> dict[str, Any]:
    """What decides this trial's numbers, as it is here and now.

    Args:
        trial: Its configuration.
        facts: Fingerprints, and the hardware it runs on.
        rounding: The settings that may change the last bits, as they are.
        data: What only reading the data tells.
    """
    weights = {name: value for name, value in facts.items() if name in ("weights", "backbone", FACT)}
    code = {name.removeprefix(CODE): {"source": value} for name, value in facts.items() if name.startswith(CODE)}
    others = ("hardware", *weights, *(f"{CODE}{name}" for name in code))
    known = {name: value for name, value in facts.items() if name not in others}
    flags = {"workers": trial.hardware.workers, "machine": facts.get("hardware"), **rounding}
    return surroundings({**known, **data}, weights, code, {key: one for key, one in flags.items() if one is not None})
