"""A finished trial's model in MLflow: logged to the trial's run, servable, and registered if asked for."""

from __future__ import annotations

import os
import shlex
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tlx.components import plugins
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.tracking import Tracking
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.runs import plugin_record
from tlx.serving import bundle, mlmodel, signature
from tlx.tracking import store, sync
from tlx.tracking.sending import own_run
from tlx.training.network import Trained

_NEEDED = ("tlx", "torch", "torchvision", "timm", "transformers", "peft", "mlflow", "pandas", "pillow")


def requirements(run: Path | None = None) -> list[str]:
    """The installed versions of what a served model imports.

    Args:
        run: The trial's folder, which names the plugins that take part. A project's own have no package; of a record of
            others, only packages are named that are installed here as plugins.
    """
    found = []
    for name in _NEEDED:
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    here = {one.package: one.version for one in plugins.installed() if one.package}
    used = {one.package for one in plugin_record.read(run)} if run is not None else set()
    found += [f"{name}=={here[name]}" for name in sorted(used & here.keys()) if name not in _NEEDED]
    return found


def log(found: Trained, run: Path, register: str | None) -> tuple[str, str]:
    """Log the model of a run folder to its MLflow run: the store, and the model's ``models:/`` address in it.

    Raises:
        ConfigError: The run was recorded for another store than the user's own, or cannot be sent there.
        Exception: What MLflow raises.
    """
    import mlflow

    uri = _sent(run)
    mlflow.set_tracking_uri(uri)
    model = bundle.model_of(found)
    with (
        _environment(),
        tempfile.TemporaryDirectory() as place,
        mlflow.start_run(run_id=own_run(store.client(uri), uri, run)),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message=".*input example was not provided.*")  # the signature is written out
        bundle.write(found, run, Path(place) / "bundle")
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module=mlmodel.LOADER,  # of the installed tlx: no code lies with the model
            data_path=str(Path(place) / "bundle"),
            signature=signature.signature(model),
            metadata={"inputs": signature.takes(model)},
            pip_requirements=requirements(run),
            registered_model_name=register,
        )
    return uri, str(logged.model_uri)


@contextmanager
def _environment() -> Iterator[None]:
    """MLflow's settings while it writes: no pickles, no bars, and nothing of the project in the working directory."""
    wanted = {
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_UV_AUTO_DETECT": "false",  # it would copy pyproject.toml and uv.lock into the model
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _sent(run: Path) -> str:
    """See that the run is in the user's own store, and return that; a folder's event log could name any address."""
    found = sync.send([run])
    for uri in found.elsewhere:
        command = printable(redacted(f"MLFLOW_TRACKING_URI={shlex.quote(uri)} tlx export {shlex.quote(str(run))}"))
        message = f"was recorded for another store than yours; if you trust that address: {command}"
        raise ConfigError([ConfigIssue("run", message, printable(run))])
    for _, reason in found.failed:
        raise ConfigError([ConfigIssue("run", f"cannot be sent to MLflow: {printable(reason)}", printable(run))])
    return next(iter(found.done), store.uri(Tracking()))
