"""A finished trial's model in MLflow: logged to the trial's run, servable, and registered if asked for."""

from __future__ import annotations

import os
import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tlx.serving import bundle
from tlx.tracking import mirror, store, sync
from tlx.tracking.options import Tracking
from tlx.trial.build import Built

_NEEDED = ("tlx", "torch", "torchvision", "timm", "transformers", "peft", "mlflow", "pandas", "pillow")


def requirements() -> list[str]:
    """The installed versions of what a served model imports."""
    found = []
    for name in _NEEDED:
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return found


def log(built: Built, run: Path, register: str | None) -> tuple[str, str]:
    """Log the model of a run folder to its MLflow run: the store, and the model's ``models:/`` address in it.

    Raises what MLflow raises.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array, Map

    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    uri = store.uri(Tracking(uri=_uri(run)))
    sync.send([run])
    mlflow.set_tracking_uri(uri)
    kind: Any = Array(DataType.string) if built.data.info.multilabel else DataType.string
    answers = Schema([ColSpec(kind, "prediction"), ColSpec(Map(DataType.double), "probabilities")])
    signature = ModelSignature(Schema([ColSpec(DataType.string, built.data.info.modality)]), answers)
    with (
        tempfile.TemporaryDirectory() as place,
        mlflow.start_run(run_id=mirror.run_id(run, uri)),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message=".*input example was not provided.*")  # the signature is written out
        bundle.write(built, run, Path(place) / "bundle")
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("served.py")),  # run by MLflow, here and when it is served
            artifacts={"bundle": str(Path(place) / "bundle")},
            signature=signature,
            pip_requirements=requirements(),
            registered_model_name=register,
        )
    return uri, str(logged.model_uri)


def _uri(run: Path) -> str | None:
    from tlx.tracking import journal

    first = next(journal.read(run), {})
    uri = first.get("tracking", {}).get("uri")
    return str(uri) if uri else None
