"""tlx evaluate RUN [dataset=...] [dataset.x=y ...] [--split test]: a finished trial's model on other data.

tlx evaluate runs/resnet18-fine_tune-birds-s0-...                                   its own test, measured again
tlx evaluate RUN --split val                                                        another split of its own data
tlx evaluate RUN dataset=imagefolder dataset.root=photos-of-2025                    other data
tlx evaluate RUN dataset.file=new.csv --json                                        its own settings, other rows

Columns and classes are matched by name: a column that the model needs and the data have not is refused, examples of
classes that it does not know are counted and left out. --split: test, val, train or all; without, the data's own test
split, and all examples of data that have none and are not those it was trained on. A test that is cut anew from its
own data and holds examples that it was trained on is refused. How the trial cut its own data (groups, times, folds,
copies) is not asked of other files unless it is set anew; what is left out is said. The metrics, with counts and the
predictions, lie in a folder of their own in runs/evaluated and in MLflow; the same command again returns at once.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from tlx.cli.arguments import Arguments
from tlx.composition.name_rules import is_there
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.fields import NEUTRAL
from tlx.config.schema import Trial
from tlx.files.printable import printable
from tlx.reports.console import Terminal
from tlx.runs.folder import read_config

_CUT = ("split_by", "group", "time", "folds", "fold", "duplicates", "near_duplicates")  # they ask something of the data


def run(words: list[str]) -> int:
    """The verb."""
    from tlx.prediction.evaluation import SPLITS

    arguments = Arguments()
    arguments.value("--split", ", ".join(SPLITS))
    arguments.value("--device", "auto, cpu, cuda or mps")
    arguments.flag("--json")
    asked = arguments.take(words)
    named = [word for word in asked.words if "=" not in word or is_there(word)]
    problems = []
    if len(named) != 1:
        shown = " ".join(named) or "nothing"
        problems.append(ConfigIssue("run", "expected one: a run folder, an MLflow run or a sweep of one trial", shown))
    if asked.split not in (None, *SPLITS):
        hint = suggest(asked.split, SPLITS)
        problems.append(ConfigIssue("--split", f"expected {', '.join(SPLITS)}{hint}", asked.split))
    if problems:
        raise ConfigError(problems)
    from tlx.orchestration import find

    places = find.runs(named[0])
    if len(places) != 1:
        raise ConfigError([ConfigIssue("run", f"stands for {len(places)} trials; name one of them", named[0])])
    overrides = [word for word in asked.words if word not in named]
    return _evaluate(places[0], overrides, asked)


def _evaluate(run: Path, overrides: list[str], asked: Any) -> int:
    from tlx.composition import request
    from tlx.data.fingerprint import fingerprint
    from tlx.prediction import evaluation
    from tlx.prediction.as_trained import as_trained
    from tlx.runs.result import read_result

    console = Terminal(quiet=asked.json)
    trial = read_config(run)
    config, is_as_cut = _dataset(trial, overrides)
    key = fingerprint(config)
    is_own = key == read_result(run).facts.get("data")
    settings = [setting.key for setting in request.read(overrides).settings]
    config, told = (config, []) if is_own or is_as_cut else _without_cut(config, settings)
    config = as_trained(config, trial, settings)
    source = _loaded(config) if asked.split is None and not is_own else None
    split = asked.split or ("test" if source is None or "test" in source.splits else "all")
    where = evaluation.place(run, trial, config, key, split)
    found = where.finished()
    if found is None:
        source = _loaded(config) if source is None else source
        found = _measured(run, trial, source, config, where, asked.device or "auto")
    else:
        console.print("already measured; nothing was computed")
    found = replace(found, notes=[*told, *found.notes])  # of this command; the record is of what it led to
    if asked.json:
        print(json.dumps({**asdict(found), "folder": str(where.folder.path)}, indent=2, ensure_ascii=False))
        return 0
    for note in found.notes:
        console.print(f"data: {printable(note)}")
    for name, value in found.metrics.items():
        console.print(f"  {name:<16} {'undefined' if value is None else f'{value:.4f}'}")
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.counts.items() if count)
    console.print(f"{split} of {printable(found.data['name'])}: {counts}")
    if where.folder.path.parent.parent != run.parent:
        console.print(f"nothing is written beside {printable(run)}: it is a copy, or its place cannot be written to")
    console.print(f"record: {where.folder.path}")
    return 0


def _dataset(trial: Trial, overrides: list[str]) -> tuple[Dataset, bool]:
    """The data that the overrides ask for, and whether they are to be cut as that says, whatever they hold.

    They are another choice, or the trial's own data with other settings, which may name other files.
    """
    from tlx.composition import request
    from tlx.composition.compose import compose_group, with_overrides

    asked = request.read(overrides)
    others = [*(group for group in asked.choices if group != "dataset"), *_others(asked.settings)]
    if others:
        raise ConfigError(
            [ConfigIssue(key, "the trial is as it was trained; only dataset can differ") for key in others]
        )
    if asked.problems or asked.choices:
        found = compose_group("dataset", overrides)
        if not any(setting.key == "dataset.test_augment" for setting in asked.settings):  # the model's own
            found = replace(found, test_augment=trial.dataset.test_augment)
        return found, True
    settings = {setting.key: setting.value for setting in asked.settings}
    names = {key.split(".")[1] for key in settings}
    return with_overrides(trial, settings).dataset, names <= {field.name for field in fields(Dataset)}


def _without_cut(config: Dataset, asked: list[str]) -> tuple[Dataset, list[str]]:
    """Ask nothing of other files of how the trial cut its own, as they may have no such groups and times.

    Args:
        config: Of the other files.
        asked: The options that somebody has set for them, which stay.

    Returns:
        The data, and what a person is to know of the options that are left out.
    """
    stay = {key.split(".")[1] for key in asked}
    plain = {one.name: one.metadata[NEUTRAL] for one in fields(Dataset) if one.name in _CUT and one.name not in stay}
    left = [f"dataset.{name}" for name in _CUT if name in plain and getattr(config, name) != plain[name]]
    message = "how the trial cut its own data is not asked of others, so these options are left out"
    notes = [f"{message}: {', '.join(left)}; set them in this command to cut these data by them"] if left else []
    return replace(config, **plain), notes


def _others(settings: Any) -> list[str]:
    return [one.key for one in settings if not one.key.startswith("dataset.")]


def _loaded(config: Dataset) -> Any:
    from tlx.components.registry import component

    return component("dataset", config.kind).function()(config)


def _measured(run: Path, trial: Trial, source: Any, config: Dataset, where: Any, device: str) -> Any:
    from tlx.config import output
    from tlx.data import splits
    from tlx.prediction import evaluate, evaluation, trained_on
    from tlx.prediction.machine import device as device_of
    from tlx.prediction.model import Model
    from tlx.provenance.reproduce import with_own_stores
    from tlx.runs import layout, test_ledger
    from tlx.runs.result import read_result
    from tlx.tracking import event_log
    from tlx.tracking.event_log import EventLog
    from tlx.tracking.mlflow_sync import MLflowSync, run_id
    from tlx.training.network import trained
    from tlx.training.quiet import quiet
    from tlx.training.record import ending

    trial, split = with_own_stores(trial), where.data["split"]  # a record of others names no store to write to
    with quiet():
        model = Model(trained(run), read_result(run).identity)
        model.to(device_of(trial, device))
        chosen = evaluate.choose(model, source, config, split, where.data["fingerprint"])
        chosen.notes.extend(trained_on.notes(run, trial, config, where.data, chosen.indices))
    output.claim(where.folder.path.parent)
    metric = model.task.metric_info[model.task.primary_metric]
    path = where.folder.path
    with MLflowSync(trial.tracking) as mirror, where.folder.lock():
        event_log.set_aside(path)
        mirror.watch(path)
        events = EventLog(path)
        first = run_id(run, mirror.uri) if mirror.uri else None
        events.begin(
            kind=evaluation.KIND,
            identity=where.folder.identity,
            **evaluation.opening(trial, where, metric, first or ""),
        )
        with ending(events), quiet():
            found = evaluate.measure(model, chosen, config, path / layout.PREDICTIONS)
            values = {f"{split}/{name}": value for name, value in found.metrics.items()}
            events.write("metrics", step=0, epoch=0.0, values=values)
            events.sync()
            counts = {"examples": found.examples, "skipped": found.skipped, "left_out": found.left_out}
            record = evaluation.Evaluation(
                where.folder.identity, where.run, where.data, values, metric, counts, found.unknown, found.notes
            )
            where.write(record)
            if split == "test":
                looked = test_ledger.split_of(where.data["fingerprint"], splits.hashed(chosen.indices))
                test_ledger.add(path.parent.parent, looked, "evaluate", path.name)
        events.write("end", status="FINISHED", reason="")
    return record
