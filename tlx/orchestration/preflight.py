"""Before a sweep's first trial, every kind of trial in it is built on the meta device: none is refused midway."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterable
from dataclasses import asdict, replace
from multiprocessing.connection import Connection

from tlx.components import plugins
from tlx.components.parts import loggers, parts
from tlx.components.registry import component
from tlx.config.errors import ConfigError, ConfigIssue, RequestError, WeightsError
from tlx.config.identity import identity_fields
from tlx.config.schema import Trial
from tlx.files.looking import shown_by
from tlx.orchestration.backends.pickled import Pickled
from tlx.orchestration.backends.processes import TrialProcess, start_forkserver
from tlx.orchestration.relayed_looks import SentLooks, received

_NUMBERS = ("lr", "backbone_lr", "lr_shallow")  # of a strategy: they are right or wrong in every network alike


def preflight(trials: Iterable[Trial]) -> None:
    """Raise :class:`ConfigError` with every problem of the trials' networks, phases and metrics.

    So is a part that only this process knows: those of trials would not find it.

    Trials that differ in seeds, rates and labels only are one kind. Data that have to be fetched are left to the trial.
    """
    every = list(trials)
    _refuse_unlisted(every)
    kinds = {
        _kind(trial): trial for trial in every if "outline" not in component("dataset", trial.dataset.kind).functions
    }
    if not kinds:
        return
    start_forkserver(list(kinds.values()))
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = TrialProcess(target=_look, args=(Pickled.of(list(kinds.values())), theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        problems = [ConfigIssue(**fields) for fields in received(ours)]
    except EOFError:
        raise RuntimeError("the process that looks through a sweep's trials died") from None
    finally:
        process.join()
    if problems:
        raise ConfigError(problems)


def _refuse_unlisted(trials: Iterable[Trial]) -> None:
    """See that the processes of trials will find their parts."""
    known = {"tlx", *(one.module.partition(".")[0] for one in plugins.load())}
    found = {key: part for trial in trials for key, part in [*parts(trial), *loggers(trial)]}
    message = (
        "is known to this process alone; put {} into a module that [tool.tlx] plugins of your pyproject.toml lists"
    )
    problems = [
        ConfigIssue(key, message.format(part.module), part.kind)
        for key, part in sorted(found.items())
        if part.module.partition(".")[0] not in known
    ]
    if problems:
        raise ConfigError(problems)


def _kind(trial: Trial) -> str:
    strategy = replace(trial.strategy, **dict.fromkeys(_NUMBERS, 0.0))  # type: ignore[arg-type]
    backbone = replace(trial.backbone, weights="none")
    plain = replace(trial, strategy=strategy, backbone=backbone, dataset=replace(trial.dataset, shots=None), seed=0)
    return json.dumps(identity_fields(plain), sort_keys=True, default=str)


def _look(sent: Pickled[list[Trial]], connection: Connection) -> None:
    """In a process forked from the warm server: every problem of these trials, as plain fields."""
    from tlx.training.quiet import quiet

    problems: list[ConfigIssue] = []
    try:
        trials = sent.open()
    except RequestError as error:
        trials, problems = [], list(error.problems)
    with quiet(), shown_by(SentLooks(connection)):
        problems += _problems(trials)
    connection.send([asdict(problem) for problem in problems])
    connection.close()


def _problems(trials: Iterable[Trial]) -> list[ConfigIssue]:
    """Every problem of trials, each once; data that several of them have are looked at once."""
    from tlx.planning.trial_plan import data_of, outline

    found: list[ConfigIssue] = []
    by_data: dict[str, list[Trial]] = {}
    for trial in trials:
        by_data.setdefault(repr(trial.dataset), []).append(trial)
    for same in by_data.values():
        data = None
        for trial in same:
            try:
                data = data_of(trial, data)
            except RequestError as error:
                found += error.problems
                break  # the others have it as well
            try:
                outline(trial, data)
            except WeightsError:  # whether weights are there is settled when they are loaded
                continue
            except RequestError as error:
                found += error.problems
    return [one for i, one in enumerate(found) if one not in found[:i]]
