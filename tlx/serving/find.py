"""The model that a word stands for: a run, a bundle, or a model of MLflow."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from tlx.composition.name_rules import is_there, path_fault
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.tracking import Tracking
from tlx.orchestration.find import runs
from tlx.prediction.machine import device as device_of
from tlx.prediction.model import Model
from tlx.runs.layout import RESULT
from tlx.runs.result import read_result
from tlx.serving import bundle, facts, mlmodel
from tlx.tracking import store
from tlx.training.network import trained
from tlx.training.quiet import quiet

_KINDS = (
    "a run folder, the name of a sweep of one trial, an MLflow run, a bundle, models:/<name>/<version> or an m-... of "
    "MLflow"
)


def load(run: Any, device: str = "auto") -> Model:
    """Load the trained model of a run; no data set is needed.

    Args:
        run: A run folder, the name of a sweep of one trial, an MLflow run, a bundle, ``models:/<name>/<version>``, or
            what has a ``folder``, such as a result.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto``: where the trial's ``hardware`` says.

    Returns:
        The model in eval mode.

    Raises:
        RequestError: It stands for none, or for one that is not as it was written.

    Example:
        >>> model = tlx.load("runs/resnet18-fine_tune-birds-s0-0123456789ab")
        >>> model.predict("robin.jpg", top_k=3)
    """
    with quiet():
        found = model(_word(run))
    found.to(device_of(found.trial, device))
    return found


def _word(run: Any) -> str:
    named = getattr(run, "folder", run)
    if not isinstance(named, (str, os.PathLike)):
        raise ConfigError([ConfigIssue("run", f"expected {_KINDS}", f"a {type(run).__name__}")])
    word = os.fsdecode(named)
    if named is not run and not is_there(word) and is_there(str(Path("runs") / word)):  # a result names it alone
        return str(Path("runs") / word)
    return str(word)


def model(word: str) -> Model:
    """Read the model.

    Args:
        word: A folder, a name, or an address in MLflow's store.

    Returns:
        The model in eval mode.

    Raises:
        RequestError: The word stands for none, or for one that is not as it was written.
    """
    if re.fullmatch(r"models:/.+", word):
        return bundle.read(mlmodel.bundle_of(_fetched(word)))
    if not is_there(word) and (fault := path_fault(word)):
        raise ConfigError([ConfigIssue("model", fault, word)])
    place = Path(word).expanduser()
    if (place / mlmodel.FILE).exists():
        return bundle.read(mlmodel.bundle_of(place))
    if (place / facts.FILE).exists():
        return bundle.read(place)
    if (place / RESULT).exists():
        return of_run(place)
    if re.fullmatch("m-[0-9a-f]{32}", word):
        return model(f"models:/{word}")
    return of_run(run(word))


def of_run(place: Path) -> Model:
    """The model of a run folder."""
    return Model(trained(place), read_result(place).identity)


def run(word: str) -> Path:
    """The folder of the one finished trial that a word stands for; raises :class:`ConfigError`."""
    try:
        places = runs(word)
    except ConfigError:
        if re.fullmatch("[0-9a-f]{32}", word):  # of MLflow: it knows the reason
            raise
        raise ConfigError([ConfigIssue("model", f"no model there; expected {_KINDS}", word)]) from None
    if len(places) != 1:
        named = ", ".join(str(place) for place in places[:3])
        raise ConfigError([ConfigIssue("run", f"stands for {len(places)} trials; name one of them: {named}", word)])
    return places[0]


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
