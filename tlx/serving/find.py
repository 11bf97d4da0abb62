"""The model that a word stands for: a run folder, a bundle, or a model of MLflow."""

from __future__ import annotations

import re
from pathlib import Path

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.tracking import Tracking
from tlx.runs.layout import RESULT
from tlx.serving import bundle, facts, mlmodel
from tlx.serving.model import Model
from tlx.tracking import store

_KINDS = "a run folder, a bundle, models:/<name>/<version> or an m-... of MLflow"


def model(word: str) -> Model:
    """Read the model.

    Args:
        word: A folder, or an address in MLflow's store.

    Returns:
        The model in eval mode.

    Raises:
        RequestError: The word stands for none, or for one that is not as it was written.
    """
    if re.fullmatch(r"models:/.+", word):
        return bundle.read(mlmodel.bundle_of(_fetched(word)))
    place = Path(word).expanduser()
    if (place / mlmodel.FILE).exists():
        return bundle.read(mlmodel.bundle_of(place))
    if (place / facts.FILE).exists():
        return bundle.read(place)
    if (place / RESULT).exists():
        from tlx.training.network import trained

        return bundle.model_of(trained(place))
    if re.fullmatch("m-[0-9a-f]{32}", word):
        return model(f"models:/{word}")
    raise ConfigError([ConfigIssue("model", f"no model there; expected {_KINDS}", word)])


def _fetched(address: str) -> Path:
    """The folder of a model in MLflow's store; one that is on this machine is not copied, as that follows links."""
    import mlflow
    from mlflow.exceptions import MlflowException

    uri = store.uri(Tracking())
    try:
        mlflow.set_tracking_uri(uri)
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=address))
    except (MlflowException, OSError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError([ConfigIssue("model", f"{first} ({store.without_password(uri)})", address)]) from None
