"""tlx ui [EXPERIMENT | SWEEP | RUN] [--port 5000] [tracking.uri=...]: MLflow's pages on the runs made here.

tlx ui                                     the experiment that was last used
tlx ui quickstart --port 5050              an experiment, or a sweep of that name
tlx ui runs/resnet18-fine_tune-digits-s0-0123456789ab     a run, by its folder or its MLflow id
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tlx.cli.arguments import Arguments, number
from tlx.composition.name_rules import path_fault
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.tracking import Tracking
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.orchestration import status
from tlx.tracking import address, event_log, state, store

_VIEW = "workflowType=machine_learning"


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
    if len(words) > 1:
        raise ConfigError([ConfigIssue("ui", "expected one experiment, sweep or run", printable(" ".join(words)))])
    base = _page(uri) if served else f"http://127.0.0.1:{port}"
    print(page_of(uri, words[0] if words else None, base), flush=True)
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


def link(experiment: str, base: str, order: str = "") -> str:
    """The page of an experiment, in MLflow's machine-learning view; ``order``: of its rows, as :func:`best_first`."""
    return f"{base.rstrip('/')}/#/experiments/{experiment}/runs?{_VIEW}{order}"


def best_first(client: Any, experiment: str) -> str:
    """The order in which the best in the test comes first, as one of the runs says what that is; else empty."""
    tested = client.search_runs([experiment], "tags.`tlx.primary_metric` != ''", max_results=1)
    if not tested:
        return ""
    tags = tested[0].data.tags
    key = quote(f"metrics.`test/{tags['tlx.primary_metric']}`", safe="")
    return f"&orderByKey={key}&orderByAsc={str(tags.get('tlx.goal') == 'min').lower()}"


def _page(uri: str) -> str:
    """Where a server shows its pages: its address without who logs in."""
    return printable(redacted(uri).replace("://***@", "://").partition("?")[0].partition("#")[0])


def page_of(uri: str, word: str | None, base: str) -> str:
    """The page of what a word stands for: a run's own, else its experiment's."""
    client: Any = store.reached(uri)
    if word is None:
        experiment = _experiment(client, uri, None)
        return link(experiment, base, best_first(client, experiment))
    folder = Path(word)
    if path_fault(word) or not event_log.first(folder):
        if state.ID.fullmatch(word):
            return run_link(client, word, base)
        sweeps = [] if _named(client, word) else status.sweeps_named(Path("runs"), word)
        if not sweeps:
            experiment = _experiment(client, uri, word)
            return link(experiment, base, best_first(client, experiment))
        folder = sweeps[-1]
    if (run_id := state.run_id(folder, uri)) is None:
        raise ConfigError([ConfigIssue("ui", f"is not in {printable(redacted(uri))}; run: tlx sync {folder}", word)])
    return run_link(client, run_id, base)


def run_link(client: Any, run_id: str, base: str) -> str:
    """The page of a run."""
    from mlflow.exceptions import MlflowException

    try:
        experiment = client.get_run(run_id).info.experiment_id
    except MlflowException:
        raise ConfigError([ConfigIssue("ui", "no run of this id", run_id)]) from None
    return f"{base.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"


def _named(client: Any, name: str) -> str | None:
    """The id of an experiment, by its name with or without ``tlx/``; None where there is none."""
    for one in client.search_experiments():
        if one.name in (name, f"tlx/{name}"):
            return str(one.experiment_id)
    return None


def _experiment(client: Any, uri: str, name: str | None) -> str:
    found = [one for one in client.search_experiments() if name is not None or one.name.startswith("tlx/")]
    if not found:
        raise ConfigError(
            [ConfigIssue("tlx ui", f"no runs of tlx in {printable(redacted(uri))} yet; run: tlx train ...")]
        )
    if name is None:
        return str(max(found, key=lambda one: one.last_update_time or 0).experiment_id)
    if (one := _named(client, name)) is not None:
        return one
    known = [printable(one.name.removeprefix("tlx/")) for one in found]
    hint = suggest(name, known) or f"; there are {', '.join(known)}"
    raise ConfigError([ConfigIssue("experiment", f"no such experiment{hint}", printable(name))])
