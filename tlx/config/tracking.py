"""What a person can say about the record of a trial."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import option


@dataclass
class Tracking:
    """Where the event log is mirrored to."""

    kind: str = option(choices=("mlflow", "none"))
    uri: str | None = option(
        None, "null: MLFLOW_TRACKING_URI, else mlflow.db in the working directory", runtime_only=True
    )
    experiment: str | None = option(
        None, "MLflow experiment; null: tlx/<study, experiment or 'trials'>", runtime_only=True
    )
    patience: float = option(
        10.0,
        "seconds without an answer from MLflow after which a command that is done ends; tlx sync sends the rest",
        runtime_only=True,
    )
