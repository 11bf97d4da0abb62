"""What runs were made with: versions, code, machine and settings of libraries, and in which of them runs differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tlx.runs import manifest

SEALED, ALTERED, MISSING = "sealed", "altered", "missing"
UNKNOWN, UNSET = "not known", "not set"
_COMMIT = 12  # digits of a commit that are shown
_VARIABLES = "variables"


@dataclass(frozen=True)
class MadeWith:
    """What one run was made with, as its ``repro.json`` says; a record that was altered says nothing that counts.

    Args:
        record: ``sealed``, ``altered`` or ``missing``.
        torch: Its version.
        python: Its version.
        cpu: The model of the processor.
        gpus: Their names, ``none`` where there are none.
        threads: That torch computed with.
        cpu_capability: The instructions torch settled on.
        tlx: Its version.
        tlx_commit: Of its repository, where it ran from one; with ``+`` and a hash of what was not committed.
        project_commit: Of the user's, likewise.
        variables: Environment variables that were set and change how libraries compute; None where not known.
    """

    record: str = SEALED
    torch: str | None = None
    python: str | None = None
    cpu: str | None = None
    gpus: str | None = None
    threads: str | None = None
    cpu_capability: str | None = None
    tlx: str | None = None
    tlx_commit: str | None = None
    project_commit: str | None = None
    variables: Mapping[str, str] | None = field(default=None, hash=False)


@dataclass(frozen=True)
class Difference:
    """An item that is not the same in all runs.

    Args:
        item: A field of :class:`MadeWith`, or an environment variable.
        counts: In how many runs it has each value, the commonest first.
    """

    item: str
    counts: dict[str, int]

    def __str__(self) -> str:
        return f"{self.item}: " + ", ".join(f"{value} in {count}" for value, count in self.counts.items())


def made_with(folder: Path) -> MadeWith:
    """Read what a run was made with; reads one file, and imports nothing of it."""
    record = manifest.look(folder)
    if record is None:
        return MadeWith(MISSING)
    if record.fault:
        return MadeWith(ALTERED)
    found = record.content
    code, software = found.get("code", {}), found.get("software", {})
    hardware, flags = found.get("hardware", {}), found.get("flags", {})
    gpus = hardware.get("gpus")
    return MadeWith(
        torch=_text(software.get("torch")),
        python=_text(software.get("python")),
        cpu=_text(hardware.get("cpu")),
        gpus=(", ".join(map(str, gpus)) or "none") if isinstance(gpus, list) else None,
        threads=_text(flags.get("threads")),
        cpu_capability=_text(software.get("cpu_capability")),
        tlx=_text(code.get("tlx", {}).get("version")),
        tlx_commit=_commit(code.get("tlx", {})),
        project_commit=_commit(code.get("project", {})),
        variables=found.get(manifest.VARIABLES),
    )


def differences(found: Sequence[MadeWith]) -> list[Difference]:
    """Find the items that are not the same in all of these runs; none where all were made alike."""
    names = [one.name for one in fields(MadeWith) if one.name != _VARIABLES]
    items = {name: Counter(_told(getattr(one, name)) for one in found) for name in names}
    for name in sorted({name for one in found for name in one.variables or {}}):
        items[name] = Counter(UNKNOWN if one.variables is None else one.variables.get(name, UNSET) for one in found)
    return [Difference(name, dict(counts.most_common())) for name, counts in items.items() if len(counts) > 1]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _told(value: str | None) -> str:
    return UNKNOWN if value is None else value


def _commit(state: Mapping[str, Any]) -> str | None:
    """A commit, and the beginning of the hash of what differed from it."""
    if "commit" not in state:
        return None
    changes = f"+{str(state['diff_sha'])[:_COMMIT]}" if "diff_sha" in state else ""
    return f"{str(state['commit'])[:_COMMIT]}{changes}"
