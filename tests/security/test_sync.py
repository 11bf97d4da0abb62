"""Run folders of others: they cannot make tlx contact a host, write into a run or send a file that is not theirs."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from mlflow import MlflowClient

from tests.conftest import Said
from tests.tracking.test_mlflow_sync import begin, metrics
from tlx.config.errors import ConfigError
from tlx.config.tracking import Tracking
from tlx.files.checksum import with_checksum
from tlx.runs import stale_runs
from tlx.serving import registry
from tlx.tracking import artifacts, event_log, mlflow_sync, sending, state, store, sync
from tlx.tracking.event_log import EventLog


def recorded(folder: Path, uri: str | None, name: str = "a trial") -> Path:
    """A finished trial whose event log names a store."""
    folder.mkdir(parents=True)
    book = EventLog(folder)
    tags = {"tlx.kind": "train", "tlx.folder": str(folder)}
    start: dict[str, Any] = {"name": name, "experiment": "tlx/tests", "params": {}, "tags": tags}
    book.begin(**start, tracking={"kind": "mlflow", "uri": uri})
    metrics(book, range(2))
    book.write("end", status="FINISHED", reason="")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An own store, made once: that takes seconds."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    store.client(uri)
    return uri


@pytest.fixture
def own(made: str, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made)
    return MlflowClient(tracking_uri=made)


def runs(client: MlflowClient, folder: Path) -> list[Any]:
    """The runs of folders within this one."""
    found = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return [run for run in found if run.data.tags["tlx.folder"].startswith(str(folder))]


def test_only_the_own_store_is_sent_to(folder: Path, own: MlflowClient, said: Said) -> None:
    other = folder / "elsewhere" / "deep" / "other.db"
    recorded(folder / "runs" / "mine", None)
    recorded(folder / "runs" / "named", os.environ["MLFLOW_TRACKING_URI"])
    recorded(folder / "runs" / "strange", f"sqlite:///{other}")
    found = said("sync", code=2)
    assert f"1 run folders were recorded for sqlite:///{other}: runs/strange" in found
    assert "tlx sync runs --yes" in found
    assert not other.parent.parent.exists()
    assert len(runs(own, folder)) == 2


def test_no_host_is_contacted(folder: Path, own: MlflowClient, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    real = store.client

    def client(uri: str) -> Any:
        asked.append(uri)
        return real(uri)

    monkeypatch.setattr(store, "client", client)
    recorded(folder / "runs" / "strange", "http://me@attacker.example:5000")
    assert "http://***@attacker.example" not in said("sync", code=1)  # no address with a login is kept: none of ours
    recorded(folder / "runs" / "stranger", "http://attacker.example:5000")
    assert "http://attacker.example:5000" in said("sync", "runs/stranger", code=2)
    assert asked == []


def test_whoever_agrees_sends_to_what_was_recorded(folder: Path, own: MlflowClient, said: Said) -> None:
    other = os.environ["MLFLOW_TRACKING_URI"].replace("mlflow.db", "./mlflow.db")  # another word for the same file
    recorded(folder / "runs" / "same", other)
    assert "1 run folders are in" in said("sync")
    assert len(runs(own, folder)) == 1


@pytest.mark.parametrize(("answer", "code", "sent"), [("y\n", 0, 1), ("\n", 2, 0), ("", 2, 0)])
def test_at_a_terminal_it_asks(
    folder: Path, made: str, said: Said, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, sent: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("tlx.cli.sync._at_terminal", lambda: True)
    recorded(folder / "runs" / "a", made)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    said("sync", code=code)
    assert len(runs(MlflowClient(tracking_uri=made), folder)) == sent


def test_a_store_named_on_the_command_line_is_the_own_one(folder: Path, made: str, said: Said) -> None:
    recorded(folder / "runs" / "a", made)
    assert "1 run folders are in" in said("sync", f"tracking.uri={made}")
    assert not (folder / "mlflow.db").exists()


def test_export_sends_nowhere_else(folder: Path, own: MlflowClient) -> None:
    recorded(folder / "a", "http://attacker.example:5000")
    with pytest.raises(ConfigError, match=r"MLFLOW_TRACKING_URI=http://attacker\.example:5000 tlx export"):
        registry._sent(folder / "a")


def victim(folder: Path, client: MlflowClient) -> str:
    """A run of somebody's, that is being trained."""
    begin(folder / "victim")
    sending.send(client, os.environ["MLFLOW_TRACKING_URI"], folder / "victim")
    return str(state.run_id(folder / "victim"))


@pytest.mark.parametrize("attempt", ["the same", "another", "the victim's"])
def test_a_note_cannot_lead_into_another_run(folder: Path, own: MlflowClient, attempt: str) -> None:
    uri = os.environ["MLFLOW_TRACKING_URI"]
    run = victim(folder, own)
    before = own.get_run(run)
    place = recorded(folder / "foreign", None)
    named = {
        "the same": event_log.attempt(place),
        "another": "0" * 32,
        "the victim's": event_log.attempt(folder / "victim"),
    }
    state.write(place, state.State(uri, named[attempt], run))
    if attempt == "the victim's":  # whoever has seen its event log can write its name
        rows = list(event_log.read(place))
        rows[0]["attempt"] = named[attempt]
        (place / event_log.FILE).write_text("\n".join(with_checksum(json.dumps(row)) for row in rows) + "\n")
    assert sending.send(own, uri, place)
    after = own.get_run(run)
    assert (after.info, after.data.tags, after.data.metrics) == (before.info, before.data.tags, before.data.metrics)
    assert state.run_id(place) != run
    assert sending.own_run(own, uri, place) == state.run_id(place)


@pytest.mark.parametrize("run_id", ["../../x", "", "A" * 32, "0" * 33, "0" * 31 + "\n", 7, None])
def test_a_run_id_is_hexadecimal(folder: Path, run_id: Any) -> None:
    place = recorded(folder / "a", None)
    note = {"uri": "sqlite:///x", "attempt": event_log.attempt(place), "run_id": run_id}
    (place / state.FILE).write_text(json.dumps(note))
    assert mlflow_sync.run_id(place) is None


def test_dead_runs_of_folders_that_a_server_names_are_only_read(
    folder: Path, own: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale_runs, "_YOUNG", 0)
    uri = os.environ["MLFLOW_TRACKING_URI"]
    place = recorded(folder / "private", None)
    (folder / "plain").mkdir()
    experiment = store.experiment_id(own, uri, "tlx/tests")
    tags = [{"tlx.folder": name} for name in (str(place), str(folder / "plain"), "private")]
    made = [own.create_run(experiment, tags=one).info.run_id for one in tags]
    before = sorted(path.name for path in folder.rglob("*"))
    stale_runs.close(own, uri)
    assert [own.get_run(run).info.status for run in made] == ["KILLED", "RUNNING", "RUNNING"]
    assert sorted(path.name for path in folder.rglob("*")) == before
    assert not (place / state.FILE).exists()


class Taking:
    """A client that keeps what it is sent."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def log_artifact(self, run: str, path: str, within: str = "") -> None:
        self.files[str(Path(within, Path(path).name))] = Path(path).read_bytes()


def test_only_what_lies_in_the_folder_is_sent(folder: Path) -> None:
    (folder / "id_rsa").write_text("PRIVATE")
    place = folder / "run"
    place.mkdir()
    (place / "config.yaml").write_text("mine")
    (place / "schedule.svg").symlink_to(folder / "id_rsa")
    (place / "report.html").symlink_to("../id_rsa")
    os.mkfifo(place / "result.json")
    (place / "study.yaml").mkdir()
    taking = Taking()
    artifacts.upload(taking, "0" * 32, place)
    assert taking.files == {"config.yaml": b"mine"}
    (folder / "others").mkdir()
    (folder / "others" / "vocab.txt").write_text("PRIVATE")
    (place / artifacts.ARCHITECTURE).symlink_to(folder / "others")
    artifacts.upload(taking, "0" * 32, place)
    assert taking.files == {"config.yaml": b"mine"}


def test_a_file_that_becomes_a_link_while_it_is_sent(folder: Path) -> None:
    (folder / "id_rsa").write_text("PRIVATE")
    for name in artifacts.NAMES:
        (folder / name).write_text("mine")

    class Swapping(Taking):
        def log_artifact(self, run: str, path: str, within: str = "") -> None:
            for name in artifacts.NAMES:
                (folder / name).unlink(missing_ok=True)
                (folder / name).symlink_to(folder / "id_rsa")
            super().log_artifact(run, path, within)

    taking = Swapping()
    artifacts.upload(taking, "0" * 32, folder)
    assert set(taking.files.values()) == {b"mine"}


values = some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=6)),
    lambda inner: some.one_of(
        some.lists(inner, max_size=2), some.dictionaries(some.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
names = some.sampled_from(["attempt", "time", "name", "experiment", "tags", "params", "dataset", "tracking", "event"])
ends = some.fixed_dictionaries({}, optional={"status": values, "reason": values, "note": values, "time": values})


@settings(max_examples=max(1, settings().max_examples // 4))
@given(some.dictionaries(names, values, max_size=3), some.lists(names, max_size=2), ends, values)
def test_whatever_a_event_log_holds_the_next_folder_is_sent(
    folder: Path, own: MlflowClient, changed: dict[str, Any], gone: list[str], end: dict[str, Any], value: Any
) -> None:
    root = folder / os.urandom(4).hex()
    bad, good = recorded(root / "bad", None), recorded(root / "good", None)
    rows = list(event_log.read(bad))
    rows[0] = {key: one for key, one in (rows[0] | changed).items() if key not in gone}
    rows[1]["values"] = {"val/acc": 0.5, "strange": value}
    rows[-1] |= end
    (bad / event_log.FILE).write_text("\n".join(with_checksum(json.dumps(row)) for row in rows) + "\n")
    found = sync.send([bad, good], Tracking())
    assert [place for places in found.done.values() for place in places][-1:] == [good]
    assert all(place == bad and reason for place, reason in found.failed)


def test_a_folder_that_cannot_be_sent_is_named(folder: Path, own: MlflowClient, said: Said) -> None:
    for name in ("a", "b", "c", "good"):
        recorded(folder / "runs" / name, None)
    (folder / "runs" / "a" / event_log.FILE).write_text("{")
    (folder / "runs" / "b" / event_log.FILE).unlink()
    (folder / "runs" / "b" / event_log.FILE).symlink_to("/etc/passwd")
    (folder / "runs" / "c" / event_log.FILE).write_text(
        with_checksum(json.dumps({"event": "start", "attempt": "0" * 32})) + "\n"
    )
    found = said("sync", code=1)
    assert found.count("not sent: ") == 3
    assert "has no experiment, name, params, tags, time" in found
    assert len(runs(own, folder)) == 1


def test_control_characters_are_written_out(folder: Path, own: MlflowClient, said: Said) -> None:
    recorded(folder / "runs" / "a\x1b[2J", "sqlite:////tmp/\x1b]0;x\x07/a.db")
    found = said("sync", code=2)
    assert "\x1b" not in found
    assert "\\x1b[2J" in found
