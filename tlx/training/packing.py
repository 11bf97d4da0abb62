"""Make a run folder hold every tensor of its network, or write a copy of it that does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tlx.backbones.weights import State
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, foreign, marks
from tlx.runs import layout, lock
from tlx.runs import result as results
from tlx.runs.removal import OWN
from tlx.tracking import state
from tlx.training import frozen
from tlx.training.checkpoint import opened, whole
from tlx.training.frozen import Frozen
from tlx.training.network import trained

_LEFT = {lock.FILE, state.FILE, layout.RESULT, layout.PREPARED, layout.GROUP, *layout.STATES}  # of this folder alone


@dataclass(frozen=True)
class Packed:
    """What a folder holds now."""

    place: Path
    added: int  # tensors that were referred to before
    bytes: int  # of these
    size: int  # of all files


def pack(run: Path) -> Packed:
    """Store the tensors that never trained in the run folder itself.

    At every moment the folder is whole: its result names a file only while that is as it says.

    Raises:
        RequestError: It is no finished run, or what it refers to is not there.
        OSError: The disk refuses.
    """
    result, (tensors, facts) = results.read_result(run), _referenced(run)
    if tensors:
        with lock.locked(run, run.name):
            frozen.write_tensors(run, tensors)
            others = {name: size for name, size in result.files.items() if name != layout.FROZEN}
            results.write_result(run, replace(result, files={**others, **_sizes(run, layout.FROZEN_TENSORS)}))
            frozen.write_facts(run, facts)
            names = (layout.FROZEN_TENSORS, layout.FROZEN)
            results.write_result(run, replace(result, files={**others, **_sizes(run, *names)}))
    return _packed(run, tensors, facts)


def copy(run: Path, out: Path) -> Packed:
    """Write a whole copy of a run folder: the files that tlx writes there, with every tensor; its result comes last.

    Raises:
        ConfigError: ``out`` is neither new nor an empty folder.
        RequestError: It is no finished run, or what it refers to is not there.
        OSError: The disk refuses.
    """
    if not durable.is_new_or_empty(out):
        raise ConfigError([ConfigIssue("--out", "expected a new or an empty folder; name another one", out)])
    result, (tensors, facts) = results.read_result(run), _referenced(run)
    durable.make_folder(out)
    _copy_files(run, out, [name for name in os.listdir(run) if OWN.fullmatch(name) and name not in _LEFT])
    for name, (inner, kind) in layout.FOLDERS.items():
        if marks.is_own(run / name, inner, kind):
            marks.mark(out / name, kind)
            _copy_files(run / name, out / name, [one for one in os.listdir(run / name) if inner.fullmatch(one)])
    if tensors:
        frozen.write_tensors(out, tensors)
    frozen.write_facts(out, facts)
    results.write_result(out, replace(result, files=results.promised_files(out)))
    return _packed(out, tensors, facts)


def _referenced(run: Path) -> tuple[State, Frozen]:
    """The tensors that a run folder refers to, and what it says of them once they are beside it."""
    known = frozen.read(run)
    if known.stored or not known.tensors:
        return {}, known
    found = trained(run)
    _, state = opened(run / layout.CHECKPOINT)
    left = {name: whole(one) for name, one in found.model.named_parameters() if name not in state}
    return left, replace(known, stored=True)


def _packed(place: Path, tensors: State, facts: Frozen) -> Packed:
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file() and not path.is_symlink())
    return Packed(place, len(tensors), facts.bytes if tensors else 0, size)


def _sizes(run: Path, *names: str) -> dict[str, int]:
    return {name: (run / name).stat().st_size for name in names}


def _copy_files(folder: Path, out: Path, names: Sequence[str]) -> None:
    """Copy regular files, none through a link."""
    for name in sorted(names):
        foreign.copy(folder / name, out / name)
