"""tlx ui [experiment] [--port 5000]: MLflow's pages on the runs made here, opened at the right experiment.

tlx ui
tlx ui quickstart --port 5050
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tlx.config.errors import ConfigError, Problem, nearest
from tlx.tracking import store
from tlx.tracking.options import Tracking

_VIEW = "workflowType=machine_learning&orderByKey=metrics.%60test%2Facc%60&orderByAsc=false"


def run(words: list[str]) -> int:
    """The verb: prints the link and serves until Ctrl-C."""
    port = "5000"
    if "--port" in words:
        at = words.index("--port")
        port = words[at + 1] if at + 1 < len(words) else ""
        if not port.isdigit():
            raise ConfigError([Problem("--port", "expected a port number", port)])
        words = words[:at] + words[at + 2 :]
    uri = store.uri(Tracking())
    print(f"opening {uri} ...", flush=True)
    base = uri if uri.startswith("http") else f"http://127.0.0.1:{port}"
    print(link(_experiment(uri, words[0] if words else None), base), flush=True)
    if uri.startswith("http"):
        return 0
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", port]
    return subprocess.call(command)


def link(experiment: str, base: str) -> str:
    """The page of an experiment, in MLflow's machine-learning view, best test accuracy first."""
    return f"{base.rstrip('/')}/#/experiments/{experiment}/runs?{_VIEW}"


def _experiment(uri: str, name: str | None) -> str:
    client: Any = store.client(uri)
    found = [one for one in client.search_experiments() if name is not None or one.name.startswith("tlx/")]
    if not found:
        raise ConfigError([Problem("tlx ui", f"no runs of tlx in {uri} yet; run: tlx train ...")])
    if name is None:
        return str(max(found, key=lambda one: one.last_update_time or 0).experiment_id)
    for one in found:
        if one.name in (name, f"tlx/{name}"):
            return str(one.experiment_id)
    known = [one.name.removeprefix("tlx/") for one in found]
    hint = nearest(name, known) or f"; there are {', '.join(known)}"
    raise ConfigError([Problem("experiment", f"no such experiment{hint}", name)])
