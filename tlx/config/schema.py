"""The shape of a configuration: the root, and every room's options registered with Hydra.

Options live beside the code that reads them (``tlx/<room>/options.py``, which import nothing heavy);
this file only gathers them. A group file begins with ``/schema/<group>/<kind>@_here_``, which is what types it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, get_args, get_type_hints

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
        help="when the state is saved that an interrupted trial goes on from", factory=Checkpoint, runtime_only=True
    )
    tracking: Tracking = option(
        help="where its record is kept besides the run folder", factory=Tracking, runtime_only=True
    )
    seed: int = option(0, "of the head's weights, the order of examples, augmentation and dropout")
    group: str | None = option(
        None, "runs are grouped under this in MLflow; null: the experiment's name, or 'trials'", runtime_only=True
    )
    output: str = option("runs", "where run folders go", runtime_only=True)
    study: Study | None = option(None, "a sweep with a question and a report", runtime_only=True)
    search: Search | None = option(None, "a sweep whose next trial follows from the results so far", runtime_only=True)
    sweep: Sweeping = option(help="how a sweep treats its trials", factory=Sweeping, runtime_only=True)


GROUPS: dict[str, dict[str, type]] = {
    "backbone": dict(backbones.KINDS),
    "strategy": {"phased": Strategy},
    "dataset": dict(data.KINDS),
    "task": dict(tasks.KINDS),
    "hardware": {"machine": Hardware},
    "reuse": dict(reuse.KINDS),
    "tracking": {"record": Tracking},
}
REQUIRED = ("backbone", "dataset")
EXPERIMENT = "experiment"


def kinds() -> Iterator[type]:
    """Every class of options, wherever it is nested."""
    waiting: list[Any] = [Trial, *(kind for group in GROUPS.values() for kind in group.values())]
    seen: set[Any] = set()
    while waiting:
        kind = waiting.pop()
        if kind in seen or not (isinstance(kind, type) and is_dataclass(kind)):
            continue
        seen.add(kind)
        yield kind
        for hint in get_type_hints(kind).values():
            waiting += [hint, *get_args(hint), *(inner for part in get_args(hint) for inner in get_args(part))]


def register() -> None:
    """Put the schema into Hydra's ConfigStore (again is harmless, and quick)."""
    from hydra.core.config_store import ConfigStore  # takes a while, and who only reads records needs none

    store = ConfigStore.instance()
    if "schema.yaml" in store.repo:
        return
    store.store(name="schema", node=Trial)
    for group, kinds in GROUPS.items():
        for kind, node in kinds.items():
            store.store(group=f"schema/{group}", name=kind, node=node)


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
