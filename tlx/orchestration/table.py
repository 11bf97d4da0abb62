"""The trials of a sweep as rows: what varies, how they stand, what they found and cost, and where they lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError
from tlx.config.select import select
from tlx.orchestration import status
from tlx.runs import folder as folders
from tlx.runs import result as results
from tlx.runs.describe import short_form
from tlx.runs.layout import RESULT


def rows(sweep: Path) -> list[dict[str, Any]]:
    """A row for each trial, in the order in which they became known; all with the same keys.

    Keys: ``trial``; the settings that the sweep varies, and the choices that name a trial; ``state``; every metric of
    its result; ``steps``, ``cpu_seconds``, ``wall_seconds``; ``folder``. What is not known is None.
    """
    return rows_of(status.summary(sweep).trials)


def finished(root: Path) -> list[Path]:
    """The finished trials of an output folder, in the order in which they were finished."""
    found = [path for path in root.glob(f"*/{RESULT}") if results.result_in(path.parent) is not None]
    return [path.parent for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.parent.name))]


def of_runs(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """A row for each of these run folders, under the name of its trial."""
    found = [(status.standing(folder), results.result_in(folder)) for folder in folders]
    return rows_of(replace(one, label=result.name if result else one.folder.name) for one, result in found)


def rows_of(trials: Iterable[status.TrialStatus]) -> list[dict[str, Any]]:
    """Rows of these trials; all with the keys that :func:`rows` names."""
    found = [_row(one) for one in trials]
    groups = ("settings", "metrics")
    keys = {group: list(dict.fromkeys(key for row in found for key in row[group])) for group in groups}
    return [
        {
            "trial": row["trial"],
            **{key: row["settings"].get(key) for key in keys["settings"]},
            "state": row["state"],
            **{key: row["metrics"].get(key) for key in keys["metrics"]},
            **row["cost"],
            "folder": row["folder"],
        }
        for row in found
    ]


def _row(trial: status.TrialStatus) -> dict[str, Any]:
    result = results.result_in(trial.folder)
    cost = {name: getattr(result, name, None) for name in ("steps", "cpu_seconds", "wall_seconds")}
    return {
        "trial": trial.label,
        "settings": _settings(trial.folder),
        "state": trial.state,
        "metrics": result.metrics if result is not None else {},
        "cost": cost,
        "folder": str(trial.folder),
    }


def _settings(place: Path) -> dict[str, Any]:
    """The choices of a trial and what its sweep varied; empty for one that has not begun."""
    try:
        trial = folders.read_config(place)
    except ConfigError:
        return {}
    named = {
        "backbone": trial.backbone.alias or trial.backbone.name,
        "strategy": trial.strategy.name,
        "dataset": trial.dataset.name,
        "dataset.shots": trial.dataset.shots,
        "seed": trial.seed,
    }
    varied = {key: select(trial, key) for key in trial.sweep.varied if key not in named}
    return named | {key: short_form(value) if is_dataclass(value) else value for key, value in varied.items()}
