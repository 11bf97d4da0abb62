"""tlx ui [experiment] [--port 5000] [tracking.uri=...]: MLflow's pages on the runs made here, at the right experiment.

tlx ui
tlx ui quickstart --port 5050
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tlx.cli.arguments import Arguments, number
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.tracking import Tracking
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.tracking import address, store

_VIEW = "workflowType=machine_learning&orderByKey=metrics.%60test%2Facc%60&orderByAsc=false"


def run(words: list[str]) -> int:
    """The verb: prints the link and serves until Ctrl-C."""
    arguments = Arguments()
    arguments.value("--port", "a port number")
    asked = arguments.take(words)
    words, chosen = address.named(asked.words)
    port = number(asked.port, "--port", "a port number") or 5000
    uri = store.uri(Tracking(uri=chosen))
    print(f"opening {printable(redacted(uri))} ...", flush=True)
    served = uri.lower().startswith(("http:", "https:"))
    experiment = _experiment(uri, words[0] if words else None)
    print(link(experiment, _page(uri) if served else f"http://127.0.0.1:{port}"), flush=True)
    if served:
        return 0
    with tempfile.TemporaryDirectory(prefix="tlx-ui-") as place:
        return subprocess.call(command(port), env=environment(uri), cwd=place)


def command(port: int) -> list[str]:
    """MLflow's server. It is run in an empty folder, as uvicorn imports what lies in the working directory."""
    return [sys.executable, "-P", "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]


def environment(uri: str) -> dict[str, str]:
    """What MLflow's server is told of the store: everybody on this machine can read a command line."""
    artifacts = os.environ.get("MLFLOW_ARTIFACTS_DESTINATION") or (Path.cwd() / "mlartifacts").as_uri()
    told = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_ARTIFACTS_DESTINATION": artifacts, "PYTHONSAFEPATH": "1"}
    return {**os.environ, **told}


def link(experiment: str, base: str) -> str:
    """The page of an experiment, in MLflow's machine-learning view, best test accuracy first."""
    return f"{base.rstrip('/')}/#/experiments/{experiment}/runs?{_VIEW}"


def _page(uri: str) -> str:
    """Where a server shows its pages: its address without who logs in."""
    return printable(redacted(uri).replace("://***@", "://").partition("?")[0].partition("#")[0])


def _experiment(uri: str, name: str | None) -> str:
    client: Any = store.reached(uri)
    found = [one for one in client.search_experiments() if name is not None or one.name.startswith("tlx/")]
    if not found:
        raise ConfigError(
            [ConfigIssue("tlx ui", f"no runs of tlx in {printable(redacted(uri))} yet; run: tlx train ...")]
        )
    if name is None:
        return str(max(found, key=lambda one: one.last_update_time or 0).experiment_id)
    for one in found:
        if one.name in (name, f"tlx/{name}"):
            return str(one.experiment_id)
    known = [printable(one.name.removeprefix("tlx/")) for one in found]
    hint = suggest(name, known) or f"; there are {', '.join(known)}"
    raise ConfigError([ConfigIssue("experiment", f"no such experiment{hint}", printable(name))])
