"""What a person can say about the record of a trial."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import aside, choice


@dataclass
class Tracking:
    """Where the journal is mirrored to."""

    kind: str = choice("mlflow", "none")
    # null: MLFLOW_TRACKING_URI, else mlflow.db in the working directory
    uri: str | None = aside(None)
    # MLflow experiment; null: tlx/<study, experiment or 'trials'>
    experiment: str | None = aside(None)
    # seconds without an answer from MLflow after which a command that is done ends; tlx sync sends the rest
    patience: float = aside(10.0)
