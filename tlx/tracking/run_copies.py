"""Run folders that are not on this machine, put together again from the artifacts of their MLflow runs.

A copy lies in the cache, below ``runs``. What comes from the store is checked as any run folder of others is, by
whoever reads it.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tlx.config.cache import cache_folder
from tlx.config.errors import ConfigError
from tlx.files import durable, foreign
from tlx.files.checksum import with_checksum, without_checksum
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.tracking import artifacts, event_log, state
from tlx.tracking.state import State

FOLDER = "runs"  # of the cache
_RESULT, _CHECKPOINT = "result.json", "checkpoint.safetensors"
_FROZEN, _FROZEN_TENSORS = "frozen.json", "frozen.safetensors"


def is_copy(folder: Path) -> bool:
    """Was a run folder put together from artifacts? It lacks what is not sent, such as ``repro.json``."""
    return folder.resolve().parent == cache_folder(FOLDER).resolve()


class NotToBeHad(ValueError):
    """A run's files are neither on this machine nor among its artifacts; the message says why."""


def folder_of(store: str, run: Any, *, copies: bool = True) -> Path:
    """The folder of a finished MLflow run: the one that its tag names, if that is still the same; else a copy.

    Args:
        store: The user's own store, which has the run.
        run: The run, as MLflow's client has it.
        copies: A copy will do.

    Raises:
        NotToBeHad: Neither is there.
    """
    tags = run.data.tags
    folder, attempt = Path(tags.get("tlx.folder", "")), tags.get("tlx.attempt", "")
    same = folder.is_absolute() and (not attempt or event_log.attempt(folder) == attempt)
    if same and (folder / _RESULT).is_file() and (folder / _CHECKPOINT).is_file():
        return folder
    where = f"its folder {printable(folder)} is not on this machine, or holds another attempt"
    if not copies or not state.ID.fullmatch(run.info.run_id):
        raise NotToBeHad(where)
    try:
        copy = cache_folder(FOLDER) / str(run.info.run_id)
        if not (copy / _RESULT).is_file():
            _fetch(store, run.info.run_id, copy)
    except NotToBeHad as reason:
        raise NotToBeHad(f"{where}; {reason}") from reason
    except (ConfigError, OSError) as error:
        fault = error.problems[0].message if isinstance(error, ConfigError) else str(error)
        raise NotToBeHad(f"{where}; its artifacts cannot be kept: {printable(fault)}") from error
    if not (copy / _CHECKPOINT).is_file():
        left = tags.get("tlx.left_out", "")
        raise NotToBeHad(f"{where}; its artifacts hold no trained model" + (f" ({printable(left)})" if left else ""))
    return copy


def _fetch(store: str, run: str, copy: Path) -> None:
    """Download the files of known names, and put them in their place at once, as a folder that is whole."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=store)
    with tempfile.TemporaryDirectory(prefix=".", dir=copy.parent) as place, tempfile.TemporaryDirectory() as raw:
        made = Path(place) / "run"
        made.mkdir()
        try:
            found = [*client.list_artifacts(run), *client.list_artifacts(run, artifacts.ARCHITECTURE)]
            for one in found:
                if one.is_dir or not _is_known(one.path):
                    continue
                fetched = Path(client.download_artifacts(run, one.path, raw))
                durable.make_folder((made / one.path).parent)
                foreign.copy(fetched, made / one.path)
        except (MlflowException, foreign.Unreadable, OSError) as error:
            raise NotToBeHad(f"its artifacts cannot be downloaded: {printable(str(error).splitlines()[0])}") from error
        _settle(made)
        known = State(redacted(store), event_log.attempt(made), run, event_log.size(made), described=True, last="end")
        state.write(made, known)  # it has all of it: nothing of a copy is sent
        try:
            durable.move(made, copy)
        except OSError:  # another process was quicker, or nothing of use came before
            if not (copy / _RESULT).is_file():
                raise


def _is_known(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return path in artifacts.NAMES if not folder else folder == artifacts.ARCHITECTURE and foreign.is_name(name)


def _settle(folder: Path) -> None:
    """Let what a copy says of its files be true of those that came: not all of a run folder is sent."""
    try:
        row = without_checksum(foreign.read(folder / _RESULT).decode(errors="replace"))
    except FileNotFoundError:
        raise NotToBeHad("its artifacts hold no result: it is not finished, or was sent by an earlier tlx") from None
    if row is None or not isinstance(row.get("files"), dict):
        raise NotToBeHad("its artifacts hold a result that tlx did not write")
    row["files"] = {name: size for name, size in row["files"].items() if _lies(folder, name)}
    if _refers_now(folder):
        row["files"][_FROZEN] = (folder / _FROZEN).stat().st_size
    durable.write(folder / _RESULT, with_checksum(json.dumps(row, indent=2)))


def _refers_now(folder: Path) -> bool:
    """Say of tensors that never trained, and were too large to be sent, that they are where they came from."""
    try:
        known = foreign.json_file(folder / _FROZEN, dict[str, Any], 1 << 16)
    except FileNotFoundError:
        return False
    except foreign.Unreadable as reason:
        raise NotToBeHad(f"its artifacts hold a {_FROZEN} that {reason}") from None
    if known.get("stored") is not True or not known.get("tensors") or os.path.lexists(folder / _FROZEN_TENSORS):
        return False
    durable.write(folder / _FROZEN, json.dumps({**known, "stored": False}, indent=1) + "\n")
    return True


def _lies(folder: Path, name: str) -> bool:
    return _is_known(name) and os.path.lexists(folder / name)
