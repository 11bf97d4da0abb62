"""The run folders a word stands for: a folder, an MLflow run, or a sweep."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tlx.composition.name_rules import path_fault
from tlx.config.errors import ConfigError, ConfigIssue, WeightsError
from tlx.config.tracking import Tracking
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
    sweeps = [folder] if (folder / event_log.FILE).is_file() else status.sweeps_named(Path("runs"), word)
    if sweeps:
        places = [sweep.parent / name for sweep in sweeps[-1:] for name in dict.fromkeys(event_log.members(sweep))]
        done = [place for place in places if (place / RESULT).is_file()]
        if done:
            return done
    elif re.fullmatch("[0-9a-f]{32}", word):
        return [_of_mlflow(word)]
    raise ConfigError([ConfigIssue("run", "no finished trial; expected a run folder, an MLflow run or a sweep", word)])


def run_folders(word: str) -> tuple[list[Path], dict[Path, str]]:
    """What there is of a run or a sweep, finished or not.

    Returns:
        Run folders, of a sweep its own last; and the trials of it that another sweep has too, with its name.

    Raises:
        ConfigError: The word stands for nothing.
    """
    if fault := path_fault(word):
        raise ConfigError([ConfigIssue("run", fault, word)])
    folder = Path(word).expanduser().resolve()
    if re.fullmatch("[0-9a-f]{32}", word) and not folder.exists():
        return [_of_mlflow(word, copies=False)], {}
    is_folder = bool(event_log.first(folder))
    chosen = [folder] if is_folder else status.sweeps_named(Path("runs"), word)
    if not chosen:
        raise ConfigError([ConfigIssue("run", "no run; expected a run folder, an MLflow run or a sweep", word)])
    sweeps = [one for one in chosen if one in status.sweeps(one.parent)]
    if not sweeps:
        return chosen, {}
    own = [sweep.parent / name for sweep in sweeps for name in event_log.members(sweep)]
    others = [one for one in status.sweeps(sweeps[0].parent) if one not in sweeps]
    shared = {one.parent / name: one.name for one in others for name in event_log.members(one)}
    trials = [one for one in dict.fromkeys(own) if one.is_dir()]
    return [*(one for one in trials if one not in shared), *sweeps], {o: shared[o] for o in trials if o in shared}


def _of_mlflow(word: str, *, copies: bool = True) -> Path:
    try:
        return store.run_folder(Tracking(), word, "run", copies=copies)
    except WeightsError as error:
        raise ConfigError([replace(one, value=word) for one in error.problems]) from error
