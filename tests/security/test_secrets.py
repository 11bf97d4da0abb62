"""Passwords and tokens of addresses: found wherever they stand, never printed, never kept with a trial."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from tests.conftest import Said
from tests.tracking.test_mlflow_sync import begin
from tlx.cli import ui
from tlx.config.errors import ConfigError
from tlx.config.search import Search
from tlx.config.tracking import Tracking
from tlx.files.secrets import holders, redacted, secrets_in
from tlx.tracking import logs, mlflow_sync, store

letters = some.characters(codec="utf-8", exclude_categories=["Zs", "Zl", "Zp", "Cc", "Cs"])
anything = some.one_of(
    some.text(letters, min_size=4, max_size=20), some.text(some.sampled_from("/@:#?%&;'\"),.ab1"), min_size=4)
)
schemes = some.sampled_from(
    ["https", "HTTP", "postgresql", "postgresql+psycopg2", "MySQL", "mssql+pyodbc", "redis", "s3", "x-y.z"]
)
hosts = some.sampled_from(["host.org", "127.0.0.1", "host:80", "[::1]:5432", "h"])
logins = some.sampled_from(["https://{}@{}", "ftp://{}@{}/a/b", "redis://{}@{}?timeout=3", "//{}@{}"])
places = some.sampled_from(
    ["/?token={}", "/p?sslmode=require&key={}#top", "?{}", "/a#{}", "#access_token={}", "/x;password={}", "?a={}&b=2"]
)
HARMLESS = [
    *("strategy.lr=1e-3, n_tokens=5", "mail me@host.org: at 12:30", "/a//b@c/d", "~/a@b/c:d", "a?b#c", "C:\\x"),
    *(
        "sqlite:///a/b.db",
        "sqlite:////tmp/a b/@x:y/mlflow.db",
        "sqlite+pysqlite:////tmp/%23x%3Fy/a.db",
        "file:///a@b/c",
    ),
    *("models:/x/1", "models:/digits@champion", "mlflow:0123", "trial:a", "https://host.org/a/b.", "(http://h:5000),"),
    *("postgresql://me@host:5432/db?sslmode=require", "ssh://git@host/x", "s3://bucket/a", "https://***@host?a=***"),
    ui.link("1", "http://127.0.0.1:5000"),
]


def is_gone(secret: str, text: str, around: str) -> bool:
    """Does no part of a secret stand in the text, but for what stands around it anyway, and signs?"""
    parts = [secret[at : at + 4] for at in range(len(secret) - 3)]
    return not any(part in text for part in parts if part not in around and any(letter.isalnum() for letter in part))


@given(schemes, anything, hosts, some.text(max_size=9), some.text(max_size=9))
@example("postgresql", "pa/ss?w@rd#1", "host.org", "", "")
@example("https", "aaaa:bbbb/cccc", "h", "", "")
def test_passwords_go(scheme: str, secret: str, host: str, before: str, after: str) -> None:
    found = redacted(f"{before} {scheme}://u:{secret}@{host}/db {after}")
    assert is_gone(secret, found, f"{before} {scheme}://u:@{host}/db {after}")
    assert redacted(found) == found
    assert secrets_in(f"{scheme}://u:{secret}@{host}/db")


@given(logins, anything, hosts)
@example("https://{}@{}", "TOKEN", "host")
@example("https://{}@{}", "tok?en=12;34", "host")
def test_tokens_before_the_host_go(address: str, secret: str, host: str) -> None:
    found = redacted(address.format(secret, host))
    assert is_gone(secret, found, address + host)
    assert redacted(found) == found


@given(schemes, anything, hosts, places)
@example("https", "ab@cdef", "host.org", "/?token={}")
@example("https", "c2VjcmV0dG9rZW4=", "host.org", "?{}")
@example("sqlite", "TOKEN", "", "/a.db?key={}")
def test_values_of_queries_and_fragments_go(scheme: str, secret: str, host: str, place: str) -> None:
    found = redacted(f"{scheme}://{host}{place.format(secret)}")
    assert is_gone(secret, found, f"{scheme}://{host}{place}")
    assert redacted(found) == found


@given(some.text(), some.text())
def test_twice_is_once(before: str, after: str) -> None:
    for text in (before, f"{before}://{after}", f"https://{before}@{after}", f"{before}?token={after}"):
        assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_holds_no_secret_stays(text: str) -> None:
    assert redacted(text) == text
    assert not secrets_in(text)


@given(some.text(some.sampled_from("abc .,/=\n-"), max_size=60))
def test_ordinary_text_stays(text: str) -> None:
    assert "://" in text or text.lstrip().startswith("//") or redacted(text) == text


def test_several_addresses_in_a_text() -> None:
    text = "from https://me:one1@a.org/x\nto postgresql://me:two2@b.org/y, by https://c.org?token=three3"
    assert redacted(text) == "from https://***@a.org/x\nto postgresql://me:***@b.org/y, by https://c.org?token=***"


def test_libraries_take_addresses_apart() -> None:
    """What requests says of https://u:1234/secret@host: a host u, a port, a path."""
    text = "HTTPSConnectionPool(host='u', port=1234): Max retries exceeded with url: /secret%20x@host/api"
    found = redacted(text, "https://u:1234/secret%20x@host")
    assert "1234" not in found
    assert "secret" not in found


def test_settings_that_hold_one_are_found() -> None:
    settings = {"dataset": {"file": "https://TOKEN@h/a.csv"}, "weights": ["hub", "https://h/?sig=abcd"], "lr": 1.0}
    assert dict(holders(settings)) == {"dataset.file": "https://***@h/a.csv", "weights.1": "https://h/?sig=***"}
    assert dict(holders(Search(storage="mysql://me:pw12@h/x"))) == {"storage": "mysql://me:***@h/x"}


@given(schemes, anything, some.sampled_from(["u:{}@host.org/x", "host.org/?token={}"]))
@example("https", "TOKEN", "{}@host")
def test_a_setting_with_a_secret_is_refused_without_it(scheme: str, secret: str, rest: str) -> None:
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI") as caught:
        store.uri(Tracking(uri=f"{scheme}://{rest.format(secret)}"))
    around = redacted(f"{scheme}://{rest.format('')}") + str(caught.value.problems[0].message)
    assert is_gone(secret, caught.value.block(), around)


def test_a_login_without_its_scheme_is_not_shown() -> None:
    with pytest.raises(ConfigError, match="plain folders") as caught:
        store.uri(Tracking(uri="me:hunter2@host/db"))
    assert "hunter2" not in caught.value.block()


class Broken:
    """A store whose library says all that it was told."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __getattr__(self, name: str) -> Any:
        raise ConnectionError(f"cannot connect to {self.uri}: Max retries exceeded with url: {self.uri[8:]}/api")


@pytest.mark.parametrize("words", [["sync"], ["ui"], ["runs", "gc"]])
@pytest.mark.parametrize(
    "uri", ["https://hunter2@host.org", "https://me:hun/ter2@h/?token=hunter2", "https://h?hunter2"]
)
def test_verbs_show_no_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch, said: Said, words: list[str], uri: str
) -> None:
    def client(uri: str) -> Any:
        Broken(uri).search_experiments()

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(store, "client", client)
    begin(folder / "runs" / "a").write("end", status="FINISHED", reason="")
    found = said(*words, code=1 if words == ["sync"] else 2)
    assert "ConnectionError" in found
    assert "hun" not in found
    assert "ter2" not in found


def test_the_mirror_shows_and_keeps_no_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    uri = "https://me:hun/ter2@host.org?key=hunter2"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(store, "client", Broken)
    with mlflow_sync.MLflowSync(Tracking()) as mirrored:
        mirrored.watch(folder / "run")
        begin(folder / "run").write("end", status="FINISHED", reason="")
    assert "ConnectionError" in caplog.text
    assert "tlx sync" in caplog.text
    kept = "".join(path.read_text() for path in (folder / "run").iterdir())
    assert not any(part in caplog.text + mirrored.failure + kept for part in ("hun", "ter2"))


def test_what_libraries_log_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("mlflow")
    handler = logging.StreamHandler()
    logger.addHandler(handler)
    try:
        logs.guard("https://hunter2@host.org")
        logger.warning("no answer from %s", "https://hunter2@host.org")
        try:
            raise ConnectionError("host hunter2 is not there")
        except ConnectionError:
            logger.exception("it failed")
    finally:
        logger.removeHandler(handler)
    err = capsys.readouterr().err
    assert "ConnectionError" in err
    assert "hunter2" not in err


def test_the_pages_get_the_store_through_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    """Whoever looks at the list of processes sees no password, and nothing in this folder is imported."""
    uri, started = "postgresql://me:hunter2@host/db", list[tuple[list[str], dict[str, Any]]]()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(ui, "page_of", lambda uri, word, base: ui.link("1", base))

    def call(words: list[str], **options: Any) -> int:
        started.append((words, options))
        return 0

    monkeypatch.setattr("subprocess.call", call)
    assert "hunter2" not in said("ui", "--port", "5050")
    ((words, options),) = started
    assert not any("hunter2" in word for word in words)
    assert words[1:4] == ["-P", "-m", "mlflow"]
    assert "127.0.0.1" in words
    assert options["env"]["MLFLOW_BACKEND_STORE_URI"] == uri
    assert options["env"]["PYTHONSAFEPATH"] == "1"
    assert Path(options["cwd"]) != folder


def test_the_link_to_a_server_has_no_login(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hunter2@host.org/mlflow")
    monkeypatch.setattr(ui, "page_of", lambda uri, word, base: ui.link("7", base))
    found = said("ui")
    assert "https://host.org/mlflow/#/experiments/7/" in found
    assert "hunter2" not in found
