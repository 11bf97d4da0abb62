"""The MLflow store: where it is, made once and under a lock, and asked for what it knows."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, Problem, WeightsError
from tlx.tracking.options import Tracking

_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/@]+@")  # user:password@
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def uri(tracking: Tracking) -> str:
    """The absolute store URI: the configuration's, else ``MLFLOW_TRACKING_URI``, else sqlite in this directory."""
    chosen = tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    if chosen.startswith("sqlite:///") and not chosen.startswith("sqlite:////"):
        chosen = f"sqlite:///{(Path.cwd() / chosen.removeprefix('sqlite:///')).resolve()}"
    if tracking.uri is not None and without_password(chosen) != chosen:
        message = (
            "holds a password, and the configuration is kept with every trial; put the address into "
            "MLFLOW_TRACKING_URI, or the password into MLFLOW_TRACKING_PASSWORD (PGPASSWORD for PostgreSQL)"
        )
        raise ConfigError([Problem("tracking.uri", message, without_password(chosen))])
    if chosen.startswith("file:") or "://" not in chosen:
        message = (
            "MLflow no longer writes to plain folders; use sqlite:///mlflow.db (mlflow migrate-filestore moves one)"
        )
        raise ConfigError([Problem("tracking.uri", message, chosen)])
    return chosen


def without_password(text: str) -> str:
    """A text with the passwords and tokens of its addresses blotted out."""
    return _PASSWORD.sub(r"\1***@", text)


def client(store: str) -> Any:
    """An ``MlflowClient`` on an existing store; the first one of a store makes it, alone."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    with _alone(store):
        made = MlflowClient(tracking_uri=store)
        made.search_experiments(max_results=1)  # opens the database, creating its tables if need be
    return made


@contextmanager
def _alone(store: str) -> Iterator[None]:
    """Two processes that create one sqlite store at once both die: take turns."""
    if not store.startswith("sqlite:///"):
        yield
        return
    path = Path(store.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def experiment_id(made: Any, store: str, name: str) -> str:
    """The experiment of this name, created with an absolute artifact folder beside a sqlite store."""
    from mlflow.exceptions import MlflowException

    found = made.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            made.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    location = None
    if store.startswith("sqlite:///"):
        location = (Path(store.removeprefix("sqlite:///")).parent / "mlartifacts" / name.replace("/", "-")).as_uri()
    try:
        return str(made.create_experiment(name, artifact_location=location))
    except MlflowException:
        found = made.get_experiment_by_name(name)  # another process was quicker
        if found is None:
            raise
        return str(found.experiment_id)


def run_folder(tracking: Tracking, run_id: str) -> Path:
    """The run folder of an MLflow run; raises :class:`WeightsError` when it is not on this machine."""
    from mlflow.exceptions import MlflowException

    store = uri(tracking)
    try:
        run = client(store).get_run(run_id)
    except MlflowException as error:
        message = f"no such run in {store}: {str(error).splitlines()[0]}"
        raise WeightsError([Problem("backbone.weights", message, f"mlflow:{run_id}")]) from error
    folder = Path(run.data.tags.get("tlx.folder", ""))
    if not (folder / "checkpoint.safetensors").is_file():
        message = f"its run folder {folder} is not on this machine"
        raise WeightsError([Problem("backbone.weights", message, f"mlflow:{run_id}")])
    return folder
