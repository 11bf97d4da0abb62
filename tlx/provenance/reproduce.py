"""Running a recorded trial once more, beside the old run and linked to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tlx.components.groups import trial_schema
from tlx.components.parts import loggers
from tlx.composition.compose import with_overrides
from tlx.composition.request import read as requested
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.identity import identity_fields
from tlx.config.rounding import settled
from tlx.config.schema import Trial
from tlx.config.tracking import Tracking
from tlx.data.module import Data
from tlx.feature_cache.prefix_cache import store as feature_store
from tlx.feature_cache.store import KIND as FEATURES
from tlx.files import marks
from tlx.files.secrets import redacted
from tlx.provenance import compare, repetitions
from tlx.provenance.compare import Row
from tlx.provenance.repetitions import REPEATED
from tlx.provenance.verdict import Circumstances
from tlx.runs import folder as folders
from tlx.runs import layout, manifest
from tlx.runs.describe import observed
from tlx.runs.folder import RunFolder
from tlx.runs.trained_content import content_if_finished
from tlx.tracking import event_log, store
from tlx.training.locate import locate
from tlx.training.machine import choose_machine
from tlx.training.record import Say, facts
from tlx.training.runner import train


class Enough(SystemExit):
    """As many steps have been repeated as were asked for."""

    def __str__(self) -> str:
        return "stopped on purpose: the beginning was to be repeated"


def recorded(folder: Path, overrides: Sequence[str] = (), *, with_cache: bool = False) -> Trial:
    """The trial of a run folder, to be run again.

    Args:
        folder: Of a finished run.
        overrides: Settings that are changed.
        with_cache: Read kept features as the trial's own settings say. Otherwise all is computed, as what the old run
            left in the store may be what is wrong with it.

    Raises:
        ConfigError: There is no trial, or a setting cannot be changed to this.
    """
    if not (folder / layout.CONFIG).is_file() or not (folder / layout.RESULT).is_file():
        raise ConfigError(
            [ConfigIssue("run", "no finished trial there; expected a run folder or an MLflow run", folder)]
        )
    trial = folders.read_config(folder)
    asked = requested(list(overrides))
    problems = [*asked.problems, *(ConfigIssue(key, "only settings can be changed here") for key in asked.choices)]
    if problems:
        raise ConfigError(problems)
    trial = with_own_stores(trial)
    if not with_cache:
        trial = replace(trial, reuse=replace(trial.reuse, when="off"))
    return with_overrides(trial, {setting.key: setting.value for setting in asked.settings})


def with_own_stores(trial: Trial) -> Trial:
    """The trial, kept and tracked where this user does: a record of others names no place to write to, or to call.

    A store of features that is tlx's own is used where it is; MLflow is asked where the environment says, unless the
    record names no other place than that. Loggers are none.
    """
    reuse, tracking = trial.reuse, trial.tracking
    if reuse.folder is not None and not marks.is_marked(Path(reuse.folder).expanduser(), FEATURES):
        reuse = replace(reuse, folder=None)
    if tracking.uri is not None and not _is_users(tracking.uri):
        tracking = replace(tracking, uri=None)
    return replace(trial, reuse=reuse, tracking=tracking, loggers=trial_schema()().loggers)


def _is_users(uri: str) -> bool:
    try:
        return store.uri(Tracking(uri=uri)) == store.uri(Tracking())
    except ConfigError:
        return False


def moved(old: Path, trial: Trial) -> Iterator[str]:
    """What a repetition does elsewhere than its record says, a line each."""
    then = folders.read_config(old)
    for key, before, now in (
        ("tracking.uri", then.tracking.uri, trial.tracking.uri),
        ("reuse.folder", then.reuse.folder, trial.reuse.folder),
    ):
        is_used = key != "reuse.folder" or trial.reuse.when != "off"
        if before != now and is_used:
            yield f"{key}: the record names {redacted(before)}; this run takes {now or 'your own'} ({key}=... sets it)"
    for key in sorted({key for key, _ in loggers(then)} - {key for key, _ in loggers(trial)}):
        yield f"{key}: the record names it; this run does without ({key}={{}} sets it)"


def place_beside(old: Path, trial: Trial) -> RunFolder:
    """A folder of its own for the repetition; nothing of the old run is touched."""
    found = locate(trial)
    number = 1
    while (path := old.parent / REPEATED / f"{old.name}-{number}").exists():
        number += 1
    return replace(found, path=path, reproduces=old.name)


def checks(old: Path, trial: Trial, place: RunFolder) -> list[Row]:
    """What is the same as when the old run was made, and what is not; the repetition has run."""
    record = manifest.look(old)  # that it has a fault is said beside what it says
    then, now = record.content if record is not None else {}, manifest.read(place.path) or _looked_at(trial, place)
    if trial.reuse.when == "off":  # as a repetition is, whose verdict says what that may do
        then, now = _without_reuse(then), _without_reuse(now)
    return [
        *compare.settings(identity_fields(folders.read_config(old)), identity_fields(trial)),
        *compare.surroundings(then, now),
    ]


def _without_reuse(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record without whether kept features were to be read."""
    flags = record.get("flags")
    if not isinstance(flags, Mapping):
        return dict(record)
    return {**record, "flags": {name: value for name, value in flags.items() if name != "reuse.when"}}


def _looked_at(trial: Trial, place: RunFolder) -> dict[str, Any]:
    """The surroundings of a repetition that was stopped early and has no record of its own."""
    data = Data(trial.dataset, seed=trial.seed, batch_size=trial.strategy.batch_size)
    content = content_if_finished(place.source.path) if place.source is not None else None
    machine = choose_machine(trial.hardware)
    rounding = settled(trial, machine.accelerator, machine.devices, machine.threads)
    return observed(
        trial, facts(place, content or "", machine), rounding, columns=data.schema.settings(), splits=data.hashes()
    )


def repeat(trial: Trial, place: RunFolder, steps: int | None, say: Say) -> None:
    """Train; with ``steps``, only until a validation at or after so many."""

    def watch(rounds: int, values: Mapping[str, float | None]) -> None:
        if steps is not None and event_log.last(place.path, "metrics").get("step", 0) >= steps:
            raise Enough(0)

    try:
        train(trial, say, on_validation=watch, place=place)
    except Enough:
        return


def circumstances(old: Path, trial: Trial, place: RunFolder, contradictions: Sequence[str]) -> Circumstances:
    """What the verdict on a repetition takes into account; raises :class:`ConfigError`."""
    new, is_finished = place.path, place.result() is not None
    return Circumstances(
        contradictions=contradictions,
        settings=repetitions.changed_settings(old, new),
        inputs=repetitions.changed_inputs(old, new) if is_finished else (),
        cache=str(feature_store(trial.reuse).root) if _read_kept_features(new) else "",
        old_read_cache=_read_kept_features(old),
        repetitions=lambda: repetitions.results(old, new),
    )


def _read_kept_features(run: Path) -> bool:
    """Did a run read outputs of its frozen part from a store, in place of computing them?"""
    return any(row.get("state") in ("found", "filled") for row in event_log.events(run, "reuse"))


def was_multi_head(old: Path) -> bool:
    """Was it one of several heads in one process? Products of many heads round otherwise than those of one."""
    return any(True for _ in event_log.events(old, "together"))
