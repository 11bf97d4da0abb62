"""Real MLflow servers, on SQLite and PostgreSQL: killed and started again under training, used by many at once."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.servers import free_port, wait_until_up
from tests.tracking.test_mlflow_sync import begin, metrics
from tests.tracking.test_mlflow_trouble import wait_for
from tlx.config.tracking import Tracking
from tlx.tracking import mlflow_sync

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
MANY = 8
PROGRAM = """
import sys
from pathlib import Path
from tests.tracking.test_mlflow_sync import begin, metrics
from tlx.tracking.mlflow_sync import MLflowSync
from tlx.config.tracking import Tracking

folder = Path(sys.argv[2])
with MLflowSync(Tracking(uri=sys.argv[1])) as mirrored:
    mirrored.watch(folder)
    book = begin(folder, folder.name)
    metrics(book, range(50))
    book.write("end", status="FINISHED", reason="")
assert not mirrored.failure, mirrored.failure
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('server') / 'server.db'}"
        return
    if POSTGRES is None or os.geteuid() != 0:
        pytest.skip("needs PostgreSQL's server (apt-get install postgresql) and root")
    port, place = free_port(), Path("/tmp") / f"tlx-postgres-{os.getpid()}"
    place.mkdir()
    shutil.chown(place, "postgres")

    def run(*words: str) -> None:
        subprocess.run(["runuser", "-u", "postgres", "--", *words], check=True, capture_output=True, cwd="/")

    run(str(POSTGRES / "initdb"), "-A", "trust", "-D", str(place / "data"))
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {place}"
    run(str(POSTGRES / "pg_ctl"), "-D", str(place / "data"), "-o", options, "-l", str(place / "log"), "-w", "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        run(str(POSTGRES / "pg_ctl"), "-D", str(place / "data"), "-m", "immediate", "stop")
        shutil.rmtree(place)


class Server:
    """An MLflow server that can be killed and started again at the same address."""

    def __init__(self, store: str, artifacts: Path) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--workers", "1"]
        self.command += ["--host", "127.0.0.1", "--port", str(self.port), "--artifacts-destination", str(artifacts)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        silent = subprocess.DEVNULL
        self.process = subprocess.Popen(self.command, start_new_session=True, stdout=silent, stderr=silent)
        wait_until_up(f"{self.address}/health", self.process)

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="module")
def server(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is up."""
    made = Server(store, tmp_path_factory.mktemp("artifacts"))
    made.start()
    yield made
    made.kill()


@pytest.mark.long
def test_it_is_killed_and_comes_back(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training writes on all the while; in the end everything is there, once."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(mlflow_sync, "_PERIOD", 0.2)
    monkeypatch.setattr(mlflow_sync, "_LONGEST", 0.5)
    place = folder / "run"
    with mlflow_sync.MLflowSync(Tracking(uri=server.address)) as mirrored:
        mirrored.watch(place)
        book = begin(place)
        metrics(book, range(20))
        wait_for(lambda: not mirrored.is_behind(place))
        server.kill()
        metrics(book, range(20, 40))
        wait_for(lambda: bool(mirrored.failure))
        metrics(book, range(40, 50))
        server.start()
        wait_for(lambda: not mirrored.is_behind(place))
        book.write("end", status="FINISHED", reason="")
    client = MlflowClient(server.address)
    run = client.get_run(str(mlflow_sync.run_id(place)))
    assert run.info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(run.info.run_id, "val/acc")] == list(range(50))


@pytest.mark.long
def test_many_at_once(server: Server, folder: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", PROGRAM, server.address]
    processes = [subprocess.Popen([*command, str(folder / f"run{i}")], env=environment) for i in range(MANY)]
    assert [process.wait(300) for process in processes] == [0] * MANY
    client = MlflowClient(server.address)
    for i in range(MANY):
        run = client.get_run(str(mlflow_sync.run_id(folder / f"run{i}")))
        assert run.info.status == "FINISHED"
        assert len(client.get_metric_history(run.info.run_id, "val/acc")) == 50
