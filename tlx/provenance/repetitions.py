"""The runs of one trial: what two of them do not share, and how far repetitions of the same lie apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tlx.config.errors import ConfigError
from tlx.config.identity import identity_fields
from tlx.provenance import compare
from tlx.provenance.compare import SAME, Row
from tlx.provenance.integrity import contradictions
from tlx.runs import layout
from tlx.runs.folder import read_config
from tlx.runs.result import Result, read_result, result_in

REPEATED = "reproduced"
_MACHINE = "hardware"  # a fact of a result that decides nothing but rounding


def changed_settings(old: Path, new: Path) -> list[Row]:
    """The settings of two runs' identities that are not the same; raises :class:`ConfigError`."""
    rows = compare.settings(identity_fields(read_config(old)), identity_fields(read_config(new)))
    return [row for row in rows if row.state != SAME]


def changed_inputs(old: Path, new: Path) -> list[Row]:
    """What two finished runs were made of that is not the same: data, weights, code of plugins, numerics versions."""
    then, now = read_result(old), read_result(new)
    names = [name for name in dict.fromkeys((*then.facts, *now.facts)) if name != _MACHINE]
    rows = [Row("", name, then.facts.get(name, "none"), now.facts.get(name, "none")) for name in names]
    versions = dict.fromkeys((*then.numerics, *now.numerics))
    rows += [Row("numerics", name, then.numerics.get(name, 1), now.numerics.get(name, 1)) for name in versions]
    return [row for row in rows if row.state != SAME]


def results(old: Path, new: Path) -> Iterator[Result]:
    """The results of a run and of its earlier repetitions, ``new`` not among them.

    A repetition counts that had the same settings and was made of the same, and whose record agrees with itself.
    """
    yield read_result(old)
    for path in sorted((old.parent / REPEATED).glob(f"{old.name}-*/{layout.RESULT}")):
        run = path.parent
        if run == new or not run.name.removeprefix(f"{old.name}-").isdigit():
            continue
        result = result_in(run)
        if result is not None and _is_same_trial(old, run) and not contradictions(run):
            yield result


def _is_same_trial(old: Path, run: Path) -> bool:
    try:
        return not (changed_settings(old, run) or changed_inputs(old, run))
    except ConfigError:  # no trial that this one could be compared with
        return False
