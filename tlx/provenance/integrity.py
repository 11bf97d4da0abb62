"""Does the record of a finished run agree with itself? Result, ``repro.json``, event log and files, by each other."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, WeightsError
from tlx.files import foreign
from tlx.files.content_hash import content_hash
from tlx.provenance import compare
from tlx.provenance.compare import DIFFERS
from tlx.runs import manifest
from tlx.runs.folder import read_config
from tlx.runs.layout import CONFIG, INNER, PROMISED, RESULT
from tlx.runs.result import Result, incomplete, result_in
from tlx.tracking import event_log, run_copies
from tlx.tracking.log_integrity import altered_rows, metrics_sha
from tlx.training import frozen

_NAMED = 3  # lines or settings that are named one by one
_FACTS = {"data": "data", "weights": "weights", "backbone": "weights"}  # facts of a result, and their sections


def contradictions(folder: Path) -> list[str]:
    """Name what is not as it was written, or is said in two ways.

    The checksums show accidents and edits by hand; who seals a file anew has to do so in all of them alike.

    Returns:
        A sentence each; none where everything agrees.
    """
    result = result_in(folder)
    if result is None:
        return [incomplete(folder) or f"{RESULT} is torn or was altered"]
    return [*_of_log(folder, result), *_of_record(folder, result), *_of_frozen(folder)]


def _of_log(folder: Path, result: Result) -> Iterator[str]:
    altered = altered_rows(folder)
    for number in altered[:_NAMED]:
        yield f"line {number} of {event_log.FILE} is not what was written"
    if len(altered) > _NAMED:
        yield f"nor are {len(altered) - _NAMED} more lines of {event_log.FILE}"
    last = event_log.last(folder, "metrics")
    if not last:
        yield f"{event_log.FILE} has no metrics"
        return
    said = {"steps": last["step"], **last["values"]}
    yield from _unlike(event_log.FILE, said, {"steps": result.steps, **result.metrics})
    if (identity := event_log.first(folder).get("identity", result.identity)) != result.identity:
        yield f"{event_log.FILE} says identity {identity}, {RESULT} {result.identity}"


def _of_record(folder: Path, result: Result) -> Iterator[str]:
    record = manifest.look(folder)
    if record is None:
        if not run_copies.is_copy(folder):  # MLflow is not sent it, as it holds code that was not committed
            yield f"{manifest.FILE} is gone"
        return
    if record.fault:
        yield f"{manifest.FILE} {record.fault}"
    if not record.content:
        return
    said: dict[str, Any] = record.content.get("results", {})
    metrics = said["metrics"] if isinstance(said.get("metrics"), Mapping) else {}
    wanted = {**result.metrics, "identity": result.identity, "steps": result.steps}
    yield from _unlike(manifest.FILE, {**said, **metrics}, wanted)
    for name in sorted(_FACTS.keys() & result.facts.keys()):
        yield from _unlike(manifest.FILE, record.content.get(_FACTS[name], {}), {name: result.facts[name]})
    if said.get("metrics_sha") != metrics_sha(folder):
        yield f"the metrics in {event_log.FILE} are not those that {manifest.FILE} has the hash of"
    yield from _of_files(folder, record.content)


def _of_files(folder: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """The files that are not those the record has hashes of."""
    files = record.get("results", {}).get("files")
    if not foreign.conforms(files, dict[str, str]):
        yield f"{manifest.FILE} has no hashes of the trial's files"
        return
    for name, wanted in files.items():
        if name not in (*PROMISED, *INNER):
            yield f"{manifest.FILE} has the hash of {name}, which is no file of a trial"
        elif _hash(folder / name) != wanted:
            yield f"{name} is not the file that {manifest.FILE} has the hash of{_settings(folder, name, record)}"


def _of_frozen(folder: Path) -> Iterator[str]:
    """What is wrong with stored tensors that never trained: the record leaves them to their own file."""
    try:
        known = frozen.read(folder)
        if known.stored:
            frozen.read_tensors(folder, known)
    except WeightsError as error:
        yield from (f"{problem.key} {problem.message}" for problem in error.problems)


def _hash(path: Path) -> str:
    try:
        return content_hash(path)
    except OSError:  # no file, or none that can be read: it has no hash
        return ""


def _settings(folder: Path, name: str, record: Mapping[str, Any]) -> str:
    """Of a configuration that was altered: the settings that are others than in the record."""
    if name != CONFIG:
        return ""
    try:
        now = json.loads(json.dumps(asdict(read_config(folder)), default=str))
    except ConfigError:
        return ""
    rows = (row for row in compare.settings(record.get("config", {}), now) if row.state == DIFFERS)
    named = ", ".join(row.change for row in islice(rows, _NAMED))
    return f": {named}" if named else ""


def _unlike(file: str, said: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """What a file says otherwise than the result, or not at all."""
    for name, value in wanted.items():
        if name in said and not _same(said[name], value):
            yield f"{file} says {name} {said[name]}, {RESULT} {value}"
    if absent := [name for name in wanted if name not in said]:
        yield f"{file} does not say {', '.join(absent)}"


def _same(one: Any, other: Any) -> bool:
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return both_nan or bool(one == other)
