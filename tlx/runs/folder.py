"""A trial's run folder. ``result.json`` in it means finished."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tlx.components import groups, plugins
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial, as_yaml
from tlx.files import durable, foreign
from tlx.runs import plugin_record
from tlx.runs.layout import CONFIG, OWN, PREPARED, RESULT
from tlx.runs.lock import is_locked, locked
from tlx.runs.result import Result, result_in, write_result
from tlx.runs.trained_content import began_from, change, content_if_finished

_LONGEST_CONFIG = 1 << 20  # bytes


@dataclass(frozen=True)
class RunFolder:
    """Where one trial lives."""

    path: Path
    identity: str
    name: str
    fingerprints: dict[str, str]  # of the data and the weights
    numerics: dict[str, int] = field(default_factory=dict)  # versions, where they are not the first
    reproduces: str = ""  # the folder of the run this one repeats
    experiment: str = ""  # what others call it that begin from it: ``trial:<experiment>``
    source: RunFolder | None = None  # the earlier trial whose weights it begins from, where ``trial:`` names one

    @property
    def output(self) -> Path:
        """The folder of the runs it belongs to; repetitions lie one folder deeper."""
        return self.path.parent.parent if self.reproduces else self.path.parent

    def result(self) -> Result | None:
        """The recorded result, if the trial is finished.

        One that is not what was written is none, nor is one that began from weights which its source has no more.
        """
        found = result_in(self.path)
        return None if found is None or self._outdated(found) else found

    def outdated(self) -> str:
        """Why a result that is there does not count: its source was trained anew; empty where it counts, or is none."""
        found = result_in(self.path) if self.source is not None else None
        return self._outdated(found) if found is not None else ""

    def other_weights(self, then: str) -> str:
        """Why what began from the content ``then`` of this trial's weights is to be run again; empty where it is not.

        Nobody knows of a trial that is not finished, or not here: then what was made from it counts.
        """
        if reason := self.outdated():
            return f"{self.experiment} is to be run again itself: {reason}" if then else ""
        now = content_if_finished(self.path) if then else None
        return change(self.experiment, then, now)

    def _outdated(self, result: Result) -> str:
        return self.source.other_weights(began_from(result)) if self.source is not None else ""

    def finish(self, result: Result) -> None:
        """Record the result, the last of all files: from now on the trial is finished."""
        write_result(self.path, result)

    def prepare(self, result: Result) -> None:
        """Write the result beside its place."""
        write_result(self.path, result, PREPARED)

    def settle(self) -> None:
        """Put the result in its place: from now on the trial is finished."""
        durable.move(self.path / PREPARED, self.path / RESULT)

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes out while this one runs the trial; raises :class:`Busy`."""
        return locked(self.path, self.name)

    def is_busy(self) -> bool:
        """Does another process run this trial now?"""
        return is_locked(self.path)


def left_over(folder: Path) -> bool:
    """Has a writer that was killed left something beside the trial's files?"""
    return bool(durable.left_over(folder, OWN))


def write_config(folder: Path, trial: Trial) -> None:
    """The resolved configuration, and the plugins that it needs; those of a finished trial stay as they are."""
    if result_in(folder) is not None:
        return
    durable.write(folder / CONFIG, as_yaml(trial))
    plugin_record.write(folder, trial)


def read_config(folder: Path) -> Trial:
    """The configuration a run folder was made from; raises :class:`ConfigError` where it cannot be read.

    It is plain data: an interpolation, which would read this machine's environment, is refused.
    """
    plugins.load()
    try:
        if gone := plugin_record.missing(folder):
            raise ConfigError([ConfigIssue(CONFIG, one, folder) for one in gone])
        text = foreign.text(folder / CONFIG, _LONGEST_CONFIG)
        if "${" in text:
            raise foreign.Unreadable("holds an interpolation (${...}), and no recorded configuration has one")
        plain: Any = foreign.yaml_value(text)
        schema = OmegaConf.structured(groups.trial_schema())
        for group in ("backbone", "dataset", "task"):
            schema[group] = OmegaConf.structured(groups.options(group)[plain[group]["kind"]])
        schema.strategy = OmegaConf.structured(groups.options("strategy")["phased"])
        known = groups.options("logger")  # what another process brought decided nothing
        plain["loggers"] = {kind: value for kind, value in plain.get("loggers", {}).items() if kind in known}
        for part in (plain.get("callbacks"), plain["task"].get("metrics"), plain["task"].get("loss")):
            for name in [name for name, value in (part or {}).items() if value is None]:  # nor did what was not chosen
                del part[name]
        trial = OmegaConf.to_object(OmegaConf.merge(schema, plain))
    except (OSError, OmegaConfBaseException, LookupError, TypeError, ValueError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError([ConfigIssue(CONFIG, f"cannot be read: {reason}", folder)]) from error
    assert isinstance(trial, Trial)
    return trial
