"""The shape of a configuration: the root, whose parts are the options of the groups."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import yaml
from omegaconf import MISSING

from tlx.config import backbone as backbones
from tlx.config import dataset as data
from tlx.config import reuse
from tlx.config import task as tasks
from tlx.config.fields import option
from tlx.config.hardware import Checkpoint, Hardware
from tlx.config.search import Search
from tlx.config.strategy import Strategy
from tlx.config.study import Study
from tlx.config.sweep import Sweeping
from tlx.config.tracking import Tracking

_DUMPER: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the first is written in C, where it was built


@dataclass
class Trial:
    """One resolved configuration: everything tlx needs to train, test and record a model."""

    backbone: backbones.Backbone = option(MISSING, "the pretrained network")
    strategy: Strategy = option(MISSING, "how it is transferred")
    dataset: data.Dataset = option(MISSING, "the examples")
    task: tasks.Task = option(MISSING, "what a label means")
    hardware: Hardware = option(help="where it runs", factory=Hardware)
    reuse: reuse.Reuse = option(help="whether frozen work is done once", factory=reuse.Reuse)
    checkpoint: Checkpoint = option(
        help="what is saved while a trial runs, to go on from after an interruption, and at its end",
        factory=Checkpoint,
        runtime_only=True,
    )
    tracking: Tracking = option(
        help="where its record is kept besides the run folder", factory=Tracking, runtime_only=True
    )
    # these two are typed once it is known which there are: tlx.components.groups
    callbacks: Any = option(None, "what looks on while it trains, each by its name: {gradient_norm: {every: 50}}")
    loggers: Any = option(
        None, "where metrics go besides MLflow, each by its name: {csv: {}, tensorboard: {}}", runtime_only=True
    )
    seed: int = option(0, "of the shots, new weights, dropout, the order of examples and augmentation")
    init_seed: int | None = option(None, "of new weights and of dropout; null: the seed", neutral=None)
    order_seed: int | None = option(None, "of the order of examples and of augmentation; null: the seed", neutral=None)
    group: str | None = option(
        None, "runs are grouped under this in MLflow; null: the experiment's name, or 'trials'", runtime_only=True
    )
    output: str = option("runs", "where run folders go", runtime_only=True)
    study: Study | None = option(None, "a sweep with a question and a report", runtime_only=True)
    search: Search | None = option(None, "a sweep whose next trial follows from the results so far", runtime_only=True)
    sweep: Sweeping = option(help="how a sweep treats its trials", factory=Sweeping, runtime_only=True)

    @property
    def seed_of_init(self) -> int:
        """What seeds the weights that are drawn, and dropout."""
        return self.seed if self.init_seed is None else self.init_seed

    @property
    def seed_of_order(self) -> int:
        """What seeds the order of examples, and augmentation."""
        return self.seed if self.order_seed is None else self.order_seed


GROUPS = ("backbone", "strategy", "dataset", "task", "hardware", "reuse", "tracking")
REQUIRED = ("backbone", "dataset")
EXPERIMENT = "experiment"


def as_yaml(trial: Trial) -> str:
    """Write a configuration out, resolved and complete."""
    return "".join(_yaml(name, value) for name, value in asdict(trial).items())


def _yaml(name: str, value: Any) -> str:
    """One entry of the configuration; most are the same for all trials of a sweep."""
    key = f"{name}: {value!r}"
    if key not in _WRITTEN:
        _WRITTEN[key] = yaml.dump({name: value}, Dumper=_DUMPER, sort_keys=False, allow_unicode=True)
    return _WRITTEN[key]


_WRITTEN: dict[str, str] = {}
