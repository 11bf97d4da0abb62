"""A bundle as an MLflow model from code: MLflow runs this file, and asks what it sets (``mlflow models serve``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from tlx.serving import bundle, inputs


class Served(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Answers a table with a column ``image`` (base64) or ``text``."""

    def load_context(self, context: Any) -> None:
        """Build the network once."""
        self.model = bundle.read(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """A row per input: ``prediction`` and ``probabilities``; a request with a bad row is refused (400)."""
        column = self.model.info.modality
        try:
            if column not in model_input.columns:
                raise inputs.Unusable(f"expected a column {column!r}, found {', '.join(map(str, model_input.columns))}")
            one = inputs.image if column == "image" else inputs.text
            rows = inputs.checked(model_input[column].tolist(), one)
        except inputs.Unusable as reason:
            raise MlflowException(str(reason), error_code=INVALID_PARAMETER_VALUE) from None
        return pd.DataFrame(self.model.answer(rows))


set_model(Served())
