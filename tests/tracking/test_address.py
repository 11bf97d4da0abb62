"""Whatever a folder is called, its database and artifacts are in it, and nothing is made beside it."""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from mlflow.store.db.utils import create_sqlalchemy_engine_with_retry
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import append_to_uri_path

from tests.tracking.test_mlflow_sync import begin
from tlx.config.errors import ConfigError
from tlx.config.search import Search
from tlx.config.tracking import Tracking
from tlx.orchestration.optuna_storage import opened
from tlx.orchestration.search.study import storage
from tlx.tracking import address, mlflow_sync, store

names = some.one_of(
    some.text(some.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40),
    some.text(some.sampled_from("%#?:@&=;+{}[] \n\\'\"a4125"), min_size=1, max_size=12),
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)


def place(folder: Path, name: str) -> Path:
    """A folder of this name, alone in another."""
    found = folder / uuid.uuid4().hex / name
    found.mkdir(parents=True)
    return found


@settings(max_examples=max(1, settings().max_examples // 2))
@given(names)
@example("#x?y")
@example("a%41 b")
@example("a:b@c")
def test_the_database_is_where_the_folder_is(folder: Path, name: str) -> None:
    where = place(folder, name)
    os.chdir(where)
    for chosen in (None, "sqlite:///mlflow.db"):
        uri = store.uri(Tracking(uri=chosen))
        assert store.uri(Tracking(uri=uri)) == uri
        assert address.file_of(uri) == where / "mlflow.db"
    engine = create_sqlalchemy_engine_with_retry(uri)  # as MLflow opens it
    with engine.connect() as connection:
        connection.exec_driver_sql("create table mine (x int)")
    engine.dispose()
    assert [path.name for path in where.parent.iterdir()] == [name]
    assert [path.name for path in where.iterdir()] == ["mlflow.db"]
    os.chdir(folder)


@settings(max_examples=max(1, settings().max_examples // 2))
@given(names, some.text(max_size=200))
@example("#x?y", "..")
@example("a%41 b", "tlx/../../x")
def test_artifacts_are_below_the_folder(folder: Path, name: str, experiment: str) -> None:
    uri = append_to_uri_path(address.artifacts(folder / name, experiment), "0" * 32, "artifacts")
    path = Path(os.path.normpath(local_file_uri_to_path(uri)))
    assert path.parents[2] == folder / name
    assert len(path.parents[1].name.encode()) <= 255


def test_experiments_of_other_names_have_other_folders(folder: Path) -> None:
    found = {address.artifacts(folder, name) for name in ("a", "a?", "a#", "..", ".", "", "x" * 300, "x" * 301)}
    assert len(found) == 8


@pytest.mark.parametrize("name", ["#x?y", "a%41 b"])
def test_a_run_in_a_strange_folder(folder: Path, name: str) -> None:
    where = place(folder, name)
    os.chdir(where)
    uri = store.uri(Tracking())
    client = store.client(uri)
    begin(where / "run").write("end", status="FINISHED", reason="")
    (where / "run" / "config.yaml").write_text("a: 1")
    mlflow_sync.send(client, uri, where / "run")
    run = str(mlflow_sync.run_id(where / "run"))
    assert {one.path for one in client.list_artifacts(run)} == {"config.yaml", "events.jsonl"}
    (sent,) = where.glob(f"mlartifacts/tlx-tests/{run}/artifacts/config.yaml")
    assert sent.read_text() == "a: 1"
    with closing(sqlite3.connect(where / "mlflow.db")) as database:
        assert database.execute("select count(*) from runs").fetchone() == (1,)
    assert [path.name for path in where.parent.iterdir()] == [name]
    os.chdir(folder)


@pytest.mark.parametrize("name", ["#x?y", "a%41 b{}"])
def test_a_search_in_a_strange_folder(folder: Path, name: str) -> None:
    where = place(folder, name)
    opened(storage(Search(), where))
    assert [path.name for path in where.iterdir()] == ["search.db"]
    assert [path.name for path in where.parent.iterdir()] == [name]


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("sqlite:////tmp/#x?y/mlflow.db", "written %3F"),
        ("sqlite:///x.db?mode=ro", "written %3F"),
        ("sqlite://", "is gone when the command ends"),
        ("sqlite:///:memory:", "is gone when the command ends"),
        ("sqlite://folder/x.db", "expected sqlite:///file.db"),
        ("sqlite:///a%41/x.db", "written %25"),
        ("file:///tmp/x", "migrate-filestore"),
        ("mlruns", "migrate-filestore"),
    ],
)
def test_addresses_that_lead_elsewhere_are_refused(folder: Path, uri: str, reason: str) -> None:
    (folder / "a%41").mkdir()
    with pytest.raises(ConfigError, match=reason):
        store.uri(Tracking(uri=uri))


def test_a_name_that_is_no_text_is_refused(folder: Path) -> None:
    where = os.fsencode(folder) + b"/\xff"
    os.mkdir(where)
    os.chdir(where)
    with pytest.raises(ConfigError, match="plainer name"):
        store.uri(Tracking())
    os.chdir(folder)


def test_a_folder_that_is_gone(folder: Path) -> None:
    where = place(folder, "x")
    os.chdir(where)
    where.rmdir()
    with pytest.raises(ConfigError, match="is gone"):
        store.uri(Tracking())
    os.chdir(folder)


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("postgresql://u@h:9/x", ("h", 9)),
        ("postgresql+psycopg2://h/x", ("h", 5432)),
        ("mysql://u:p@[::1]/x", ("::1", 3306)),
        ("postgresql:///x?host=/run", None),
        ("https://h", None),
        ("sqlite:///a.db", None),
        ("postgresql://h:port/x", None),
    ],
)
def test_endpoints(uri: str, found: object) -> None:
    assert address.endpoint(uri) == found
