"""The loader that MLflow calls for an exported model (``mlflow models serve``): code of tlx, data of the bundle."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INVALID_PARAMETER_VALUE

from tlx.serving import bundle, inputs, limits
from tlx.serving.answers import Answerer

_log = logging.getLogger(__name__)


class Served:
    """Answers a table with the columns that the model reads."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """A row per input: ``prediction``, of classes ``probabilities``; a request with a bad row is refused (400).

        Args:
            model_input: A table with a column for each input.
            params: None are taken.

        Returns:
            The answers, in order.

        Raises:
            MlflowException: With the rows and the reasons, and never with a stack trace: MLflow sends it on.
        """
        try:
            if not isinstance(model_input, pd.DataFrame):
                raise inputs.InvalidInput(f"expected a table, found {type(model_input).__name__}")
            inputs.columns(list(model_input.columns), list(self._answerer.columns))
            return pd.DataFrame(self._answerer.answer(model_input.to_dict("records")))
        except inputs.InvalidInput as reason:
            raise MlflowException(str(reason), error_code=INVALID_PARAMETER_VALUE) from None
        except Exception as error:  # MLflow would send the trace, with this machine's paths, to whoever asked
            _log.exception("the model could not answer")
            message = f"the model could not answer ({type(error).__name__}); the server's log says why"
            raise MlflowException(message, error_code=BAD_REQUEST) from None


def _load_pyfunc(path: str) -> Served:
    """The model in a bundle, as MLflow asks for it; limits are read from ``TLX_SERVE_...``.

    Raises:
        RequestError: The bundle is not what was written, or a limit is no number.
    """
    return Served(Answerer(bundle.read(Path(path)), limits.settled()))
