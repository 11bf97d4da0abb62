"""Deleting the MLflow run of a run folder, where that lies in the user's own store."""

from __future__ import annotations

from pathlib import Path

from tlx.config.tracking import Tracking
from tlx.tracking import state, store


def delete(folder: Path, uri: str | None) -> str:
    """Delete the MLflow run that a folder's note names.

    Args:
        folder: The run folder; nothing in it is changed.
        uri: The user's own store, as ``tracking.uri`` has it. A folder may name any other, which is left alone.

    Returns:
        Why a run is still there; empty where none is.
    """
    noted = state.read(folder)
    if noted is None:
        return ""
    from mlflow.exceptions import MlflowException

    own = store.uri(Tracking(uri=uri))
    if state.read(folder, own) is None:
        return f"its MLflow run {noted.run_id} is in another store and stays there"
    client = store.reached(own)
    try:
        recorded = client.get_run(noted.run_id)
        if Path(recorded.data.tags.get("tlx.folder", "")).resolve() != folder.resolve():
            return f"the MLflow run {noted.run_id} is of another folder and stays"
        client.delete_run(noted.run_id)
    except MlflowException as error:
        return f"its MLflow run {noted.run_id} stays: {store.failure(error, own)}"
    return ""
