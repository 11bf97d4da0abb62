"""The run folders a word stands for: a folder, an MLflow run, or a sweep."""

from __future__ import annotations

import re
from pathlib import Path

from tlx.composition.name_rules import path_fault
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.tracking import Tracking
from tlx.files.secrets import redacted
from tlx.orchestration import status
from tlx.runs.layout import RESULT
from tlx.tracking import event_log, store


def runs(word: str) -> list[Path]:
    """Finished trials; raises :class:`ConfigError` where the word stands for none."""
    if fault := path_fault(word):
        raise ConfigError([ConfigIssue("run", fault, word)])
    folder = Path(word).expanduser().resolve()
    if (folder / RESULT).is_file():
        return [folder]
    sweeps = [folder] if (folder / event_log.FILE).is_file() else _named(word)
    if sweeps:
        places = [sweep.parent / name for sweep in sweeps[-1:] for name in dict.fromkeys(event_log.members(sweep))]
        done = [place for place in places if (place / RESULT).is_file()]
        if done:
            return done
    elif re.fullmatch("[0-9a-f]{32}", word):
        return [_of_mlflow(word)]
    raise ConfigError([ConfigIssue("run", "no finished trial; expected a run folder, an MLflow run or a sweep", word)])


def _named(word: str) -> list[Path]:
    """Sweeps of that name in ./runs, the last one last."""
    found = [one for one in status.sweeps(Path("runs")) if word in (one.name, one.name.rpartition("-")[0])]
    return sorted(found, key=lambda one: (one / event_log.FILE).stat().st_mtime)


def _of_mlflow(word: str) -> Path:
    from mlflow.exceptions import MlflowException

    uri = store.uri(Tracking())
    try:
        tags = store.reached(uri).get_run(word).data.tags
    except MlflowException as error:
        message = f"{store.failure(error, uri)} ({redacted(uri)})"
        raise ConfigError([ConfigIssue("run", message, word)]) from None
    folder = Path(tags.get("tlx.folder", ""))
    if not (folder / RESULT).is_file():
        raise ConfigError([ConfigIssue("run", f"its folder {folder} holds no finished trial on this machine", word)])
    return folder
