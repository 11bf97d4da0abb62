"""The MLflow store: where it is, made once and under a lock, and asked for what it knows."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tlx.config.errors import ConfigError, ConfigIssue, WeightsError
from tlx.config.tracking import Tracking
from tlx.files import durable
from tlx.files.printable import printable
from tlx.files.secrets import WAY_OUT, redacted, secrets_in
from tlx.tracking import address, logs, run_copies

_ENVIRONMENT = {  # MLflow and libpq would wait for minutes; and MLflow prints addresses with their passwords
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "PGCONNECT_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_TURN, _PAUSE = 60.0, 0.05  # seconds to wait for another process, and between looks
_KNOCK = 5.0  # seconds for a database server to take a connection
without_password = redacted


def uri(tracking: Tracking) -> str:
    """The absolute store URI: the configuration's, else ``MLFLOW_TRACKING_URI``, else sqlite in this directory.

    Raises:
        ConfigError: It holds a secret that would be kept with the trial, or leads to no store.
    """
    key = "tracking.uri" if tracking.uri else "MLFLOW_TRACKING_URI"
    chosen = tracking.uri or os.environ.get(key)
    try:
        if not chosen:
            key = "working directory"
            return address.of_file(Path.cwd() / "mlflow.db")
        if chosen.lower().startswith("file:") or "://" not in chosen:
            raise address.InvalidAddress(
                "MLflow no longer writes to plain folders; use sqlite:///mlflow.db (mlflow migrate-filestore moves one)"
            )
        found = address.absolute(chosen)
        if key == "tracking.uri" and secrets_in(found):
            raise address.InvalidAddress(WAY_OUT)
        return found
    except FileNotFoundError:
        raise ConfigError([ConfigIssue("working directory", "is gone; change into one that is there")]) from None
    except address.InvalidAddress as reason:
        shown = redacted(chosen or Path.cwd())
        if "://" not in shown and "@" in shown:
            shown = "***"  # a login without its scheme
        raise ConfigError([ConfigIssue(key, str(reason), printable(shown))]) from None


def client(store: str) -> Any:
    """An ``MlflowClient`` on an existing store; the first one of a store makes it, alone.

    Raises what the store raises, ``OSError`` where no server takes a connection.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    logs.guard(store)
    with _alone(store):
        if (place := address.endpoint(store)) is not None:  # MLflow would try ten times, for two minutes
            socket.create_connection(place, timeout=_KNOCK).close()
        made = MlflowClient(tracking_uri=store)
        made.search_experiments(max_results=1)  # opens the database, creating its tables if need be
    return made


def reached(store: str) -> Any:
    """As :func:`client`, for a person who waits for it; raises :class:`ConfigError` with the reason."""
    try:
        return client(store)
    except Exception as error:  # whatever MLflow, SQLAlchemy, a driver or the network raises
        message = f"cannot be reached: {failure(error, store)}"
        raise ConfigError([ConfigIssue("tracking.uri", message, redacted(store))]) from None


def failure(error: Exception, store: str) -> str:
    """What went wrong with a store, in a line and without its secrets."""
    lines = str(error).strip().splitlines() or [""]
    return printable(f"{type(error).__name__}: {redacted(lines[0], store)[:300]}")


@contextmanager
def _alone(store: str) -> Iterator[None]:
    """Two processes that create one sqlite store at once both die: take turns."""
    path = address.file_of(store)
    if path is None:
        yield
        return
    durable.make_folder(path.parent)
    with durable.appending(path.with_name(f"{path.name}.lock")) as stream:
        hold(stream)
        yield


def hold(stream: IO[bytes]) -> None:
    """Lock an open file, waiting for whoever holds it; raises ``TimeoutError`` when that takes too long."""
    deadline = time.monotonic() + _TURN
    while True:
        try:
            return fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process has held {stream.name} for {_TURN:.0f} s") from None
            time.sleep(_PAUSE)


def experiment_id(made: Any, store: str, name: str) -> str:
    """The experiment of this name, created with an absolute artifact folder beside a sqlite store."""
    from mlflow.exceptions import MlflowException

    found = made.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            made.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    path = address.file_of(store)
    location = address.artifacts(path.parent / "mlartifacts", name) if path is not None else None
    try:
        return str(made.create_experiment(name, artifact_location=location))
    except MlflowException:
        found = made.get_experiment_by_name(name)  # another process was quicker
        if found is None:
            raise
        return str(found.experiment_id)


def run_folder(tracking: Tracking, run_id: str, key: str, *, copies: bool = True) -> Path:
    """The folder of a finished MLflow run: its own where that is on this machine, else what the run's artifacts hold.

    Args:
        tracking: The store that is asked.
        run_id: The run.
        key: The option that names it, for messages.
        copies: A copy of its folder will do.

    Raises:
        WeightsError: There is no such run, or neither its folder nor its files are to be had.
    """
    from mlflow.exceptions import MlflowException

    store = uri(tracking)
    asked = printable(f"mlflow:{run_id}")
    try:
        run = reached(store).get_run(run_id)
    except MlflowException as error:
        message = f"no such run in {redacted(store)}: {failure(error, store)}"
        raise WeightsError([ConfigIssue(key, message, asked)]) from None
    try:
        return run_copies.folder_of(store, run, copies=copies)
    except run_copies.NotToBeHad as reason:
        raise WeightsError([ConfigIssue(key, str(reason), asked)]) from None
