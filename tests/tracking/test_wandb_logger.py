"""W&B gets a history row for each row of the event log; where it cannot, that is said and nothing else happens."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.rows import VALUES, begin, numbers, write
from tlx.config.loggers import Wandb
from tlx.tracking import event_log
from tlx.tracking.event_log import EventLog
from tlx.tracking.logger_feed import LoggerFeed
from tlx.tracking.loggers.wandb import STEP, WandbLogger

VARIABLES = ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "WANDB_BASE_URL")
REAL = importlib.util.find_spec("wandb") is not None


class Run:
    """A run of W&B, as a program sees it; its server keeps history by the run's id."""

    def __init__(self, server: FakeWandb, options: dict[str, Any]) -> None:
        self.server, self.options = server, options
        self.history = server.kept.setdefault(options["id"], []) if options["mode"] == "online" else []
        self.ended: int | None = None
        self.metrics: list[tuple[str, str | None]] = []

    @property
    def step(self) -> int:
        return len(self.history)

    def define_metric(self, name: str, step_metric: str | None = None) -> None:
        self.metrics.append((name, step_metric))

    def log(self, values: dict[str, float]) -> None:
        self.history.append(values)

    def finish(self, exit_code: int) -> None:
        self.ended = exit_code


class FakeWandb(types.ModuleType):
    """In the place of the package."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.runs: list[Run] = []
        self.kept: dict[str, list[dict[str, float]]] = {}
        self.is_reachable = True

    def init(self, **options: Any) -> Run:
        if options["mode"] == "online" and not self.is_reachable:
            raise ConnectionError("no route to https://me:secret@host")
        self.runs.append(Run(self, options))
        return self.runs[-1]


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch, folder: Path) -> FakeWandb:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(folder / "netrc"))
    return fake


def events_of(place: Path, said: list[str], options: Wandb | None = None) -> EventLog:
    place.mkdir(exist_ok=True)
    return EventLog(place, LoggerFeed(place, {"wandb": lambda: WandbLogger(options or Wandb())}, said.append))


def expected(place: Path) -> list[dict[str, str]]:
    return [numbers({**row["values"], "epoch": row["epoch"], STEP: row["step"]}) for row in event_log.metrics(place)]


def test_without_a_key_it_is_offline_and_says_so(folder: Path, wandb: FakeWandb) -> None:
    place, said = folder / "a", list[str]()
    events = events_of(place, said, Wandb(project="mine", entity="us"))
    begin(events)
    write(events, VALUES)
    events.write("end", status="FINISHED", reason="")
    (run,) = wandb.runs
    assert [numbers(row) for row in run.history] == expected(place)
    assert run.ended == 0
    assert run.metrics == [(STEP, None), ("*", STEP)]
    wanted = {"project": "mine", "entity": "us", "mode": "offline", "id": event_log.attempt(place), "resume": None}
    assert wanted.items() <= run.options.items()
    assert (run.options["name"], run.options["group"], run.options["reinit"]) == ("a trial", "tlx/trials", "create_new")
    assert run.options["config"] == {"seed": "0", "strategy.lr": "0.1", "tlx.identity": "0123456789abcdef"}
    assert said == ["loggers.wandb: offline, as there is no API key (wandb login); wandb sync sends it later"]


@pytest.mark.parametrize("where", ["environment", "netrc"])
def test_with_a_key_it_is_online(folder: Path, wandb: FakeWandb, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    if where == "environment":
        monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    else:
        (folder / "netrc").write_text("machine api.wandb.ai login user password " + "x" * 40)
    said: list[str] = []
    begin(events_of(folder / "a", said))
    assert (wandb.runs[0].options["mode"], wandb.runs[0].options["project"], said) == ("online", "tlx", [])


def test_where_it_does_not_answer_it_is_offline(
    folder: Path, wandb: FakeWandb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    wandb.is_reachable = False
    said: list[str] = []
    events = events_of(folder / "a", said)
    begin(events)
    write(events, VALUES)
    assert [run.options["mode"] for run in wandb.runs] == ["offline"]
    assert [numbers(row) for row in wandb.runs[0].history] == expected(folder / "a")
    (line,) = said
    assert line.startswith("loggers.wandb: offline, as W&B cannot be reached (ConnectionError: no route to")
    assert "secret" not in line


@pytest.mark.parametrize("key", ["", "x" * 40])
def test_online_is_online_or_not_at_all(
    folder: Path, wandb: FakeWandb, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", key)
    wandb.is_reachable = False
    events = events_of(folder / "a", [], Wandb(mode="online"))
    with caplog.at_level(logging.WARNING, "tlx.tracking"):
        begin(events)
        write(events, VALUES)
    assert wandb.runs == []
    (record,) = caplog.records
    assert ("no route" if key else "there is no API key; run: wandb login") in record.getMessage()


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_a_mode_is_taken_at_its_word(
    folder: Path, wandb: FakeWandb, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    said: list[str] = []
    begin(events_of(folder / "a", said, Wandb(mode=mode)))
    monkeypatch.setenv("WANDB_MODE", mode)
    begin(events_of(folder / "b", said))
    assert [run.options["mode"] for run in wandb.runs] == [mode, mode]
    assert said == []


@pytest.mark.parametrize("arrived", [0, 1, 3])
def test_a_trial_that_goes_on_sends_what_is_not_there(
    folder: Path, wandb: FakeWandb, monkeypatch: pytest.MonkeyPatch, arrived: int
) -> None:
    """Of what the process had sent that was killed, some may have been lost on the way."""
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    place = folder / "a"
    events = events_of(place, [])
    begin(events)
    write(events, VALUES[:3])
    del wandb.kept[event_log.attempt(place)][arrived:]
    events = events_of(place, [])
    events.write("resume", step=2)
    write(events, VALUES[3:])
    events.write("end", status="FINISHED", reason="")
    assert [numbers(row) for row in wandb.kept[event_log.attempt(place)]] == expected(place)
    assert wandb.runs[1].options["resume"] == "allow"
    assert [run.ended for run in wandb.runs] == [None, 0]


@pytest.mark.parametrize(("status", "code"), [("FINISHED", 0), ("FAILED", 1), ("KILLED", 1)])
def test_it_ends_as_the_trial_does(folder: Path, wandb: FakeWandb, status: str, code: int) -> None:
    events = events_of(folder / "a", [])
    begin(events)
    events.write("end", status=status, reason="")
    assert wandb.runs[0].ended == code


PROGRAM = """
from pathlib import Path
from tests.tracking.rows import VALUES, begin, opened, write
from tlx.config.loggers import Wandb
from tlx.tracking.loggers.wandb import WandbLogger

both = [opened(Path(name), wandb=WandbLogger(Wandb(project="mine", mode="offline"))) for name in ("a", "b")]
for events in both:
    begin(events)
for row in VALUES:
    for events in both:
        write(events, [row])
for events in both:
    events.write("end", status="FINISHED", reason="")
"""

READER = """
import json, struct, sys
from pathlib import Path
from wandb.proto import wandb_internal_pb2

data, at, parts = Path(sys.argv[1]).read_bytes(), 7, b""  # LevelDB's log format, behind a header
assert data.startswith(b":W&B")
while at + 7 <= len(data):
    if 32768 - at % 32768 < 7:  # what is left of a block
        at += 32768 - at % 32768
        continue
    length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
    parts += data[at + 7 : at + 7 + length]
    at += 7 + length
    if kind not in (1, 4):  # whole, or the last part
        continue
    record, parts = wandb_internal_pb2.Record.FromString(parts), b""
    if record.WhichOneof("record_type") == "history":
        print(json.dumps({i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="needs pip install 'tlx[wandb]'")
def test_the_package_itself_keeps_every_row(folder: Path) -> None:
    """Two runs of one process, as heads that are trained side by side are."""
    import json
    import os

    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name in ("a", "b"):
        (file,) = folder.glob(f"wandb/offline-run-*/run-{event_log.attempt(folder / name)}.wandb")
        read = subprocess.run(
            [sys.executable, "-c", READER, str(file)], capture_output=True, text=True, env=environment, check=True
        )
        found = [json.loads(line) for line in read.stdout.splitlines()]
        own = [{key: value for key, value in row.items() if not key.startswith("_")} for row in found]
        wanted = [
            {**row["values"], "epoch": row["epoch"], STEP: row["step"]} for row in event_log.metrics(folder / name)
        ]
        wanted = [{key: value for key, value in row.items() if value is not None} for row in wanted]
        assert [{key: repr(float(value)) for key, value in row.items()} for row in own] == [
            {key: repr(float(value)) for key, value in row.items()} for row in wanted
        ]
