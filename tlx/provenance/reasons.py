"""Why a trial would run again: what of its identity is another than that of a run there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tlx.components import source
from tlx.config.errors import ConfigError
from tlx.config.identity import identity_fields
from tlx.config.schema import Trial
from tlx.provenance import compare
from tlx.provenance.compare import SAME, Row
from tlx.runs import plugin_record
from tlx.runs.folder import RunFolder, read_config
from tlx.runs.layout import RESULT
from tlx.runs.plugin_record import package_of
from tlx.runs.result import result_in

_MOST = 500  # runs that are looked at, the latest first


def reasons(trial: Trial, place: RunFolder, run: Path) -> list[Row]:
    """What differs between a trial as it is here and now, and a finished run: settings, fingerprints, numerics.

    Raises:
        ConfigError: The run's configuration or result cannot be read.
    """
    result = result_in(run)
    facts = result.facts if result is not None else {}
    rows = compare.settings(identity_fields(read_config(run)), identity_fields(trial))
    rows += [
        Row("fingerprint", name, facts.get(name), now)
        for name, now in place.fingerprints.items()
        if not package_of(name)
    ]
    rows += _code(place, facts, run)
    versions = result.numerics if result is not None else {}
    components = sorted({*versions, *place.numerics})
    rows += [Row("numerics", name, versions.get(name, 1), place.numerics.get(name, 1)) for name in components]
    return [row for row in rows if row.state != SAME]


def _code(place: RunFolder, facts: dict[str, str], run: Path) -> Iterator[Row]:
    """The files of plugins that have changed; a plugin as a whole where the run does not say which."""
    names = {name: package_of(name) for name in {**facts, **place.fingerprints} if package_of(name)}
    files = {one.module: one.files for one in plugin_record.read(run)}
    for name, module in sorted(names.items()):
        then, now = facts.get(name), place.fingerprints.get(name)
        if then == now:
            continue
        before, after = files.get(module, {}), source.files(module) if now is not None else {}
        changed = [file for file in sorted({*before, *after}) if before.get(file) != after.get(file)]
        if not (before and after and changed):
            yield Row("code", module, then or "no part", now or "no part")
        for file in changed if before and after else ():
            yield Row("code", f"{module}/{file}", before.get(file, "no file"), after.get(file, "no file"))


def nearest_run(trial: Trial, place: RunFolder) -> tuple[Path, list[Row]] | None:
    """Find the finished run in the same output folder that differs in the fewest things; None where there is none."""
    found = [(run, rows) for run, rows in _all(trial, place) if rows]
    return min(found, key=lambda pair: (len(pair[1]), not pair[0].name.startswith(f"{place.name}-")), default=None)


def _all(trial: Trial, place: RunFolder) -> Iterator[tuple[Path, list[Row]]]:
    runs = [path.parent for path in place.path.parent.glob(f"*/{RESULT}") if path.parent != place.path]
    for run in sorted(runs, key=lambda one: one.stat().st_mtime, reverse=True)[:_MOST]:
        try:
            yield run, reasons(trial, place, run)
        except ConfigError:  # not a run of this version
            continue
