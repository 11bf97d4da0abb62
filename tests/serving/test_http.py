"""The application of ``tlx serve``, asked without a server: MLflow's protocol, hosts, bodies, errors."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from tests.serving.asking import ask, encoded, picture, records
from tests.serving.conftest import Exported
from tlx.serving import bundle, http
from tlx.serving.answers import Answerer
from tlx.serving.limits import Limits

SMALL = Limits(rows=3, bytes=20_000, pixels=10_000, total_pixels=12_000, seconds=1)


@pytest.fixture(scope="module")
def answerer(pictures: Exported) -> Answerer:
    return Answerer(bundle.read(pictures.bundle), SMALL)


@pytest.fixture(scope="module")
def app(answerer: Answerer) -> Starlette:
    return http.app(answerer, "1.2.3")


def test_pages(app: Starlette) -> None:
    assert ask(app, method="GET", path="/ping") == (200, "\n")
    assert ask(app, method="GET", path="/health") == (200, "\n")
    assert ask(app, method="GET", path="/version") == (200, "1.2.3")
    assert ask(app, method="GET")[0] == 405
    assert ask(app, method="GET", path="/docs")[0] == 404


def test_it_answers(app: Starlette) -> None:
    status, text = ask(app, records(picture(), picture(30, 20)))
    found = json.loads(text)["predictions"]
    assert (status, len(found)) == (200, 2)
    assert found[0]["prediction"] in found[0]["probabilities"]
    assert ask(app, f"image\n{picture()}\n{picture(30, 20)}\n".encode(), "text/csv") == (200, text)
    assert ask(app, records()) == (200, '{"predictions":[]}')


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:5001", "[::1]:5001", "[::1]"])
def test_hosts_of_this_machine(app: Starlette, host: str) -> None:
    assert ask(app, records(picture()), host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:5001",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "evil@localhost",
        "",
        None,
        "localhost:x",
        "0.0.0.0",
        "[::1",
        "a b",
        "localhost,evil.example",
    ],
)
def test_other_hosts_are_refused(app: Starlette, host: str | None) -> None:
    """A page anywhere can have its own name point here (DNS rebinding)."""
    for path, method in (("/invocations", "POST"), ("/ping", "GET")):
        assert ask(app, records(picture()), host=host, path=path, method=method) == (400, "Invalid host header")


def test_a_host_that_is_allowed(answerer: Answerer) -> None:
    app = http.app(answerer, "1", [*http.LOCAL, "birds.example", "*.birds.example"])
    for host, status in (("birds.example", 200), ("a.birds.example:1", 200), ("xbirds.example", 400)):
        assert ask(app, records(picture()), host=host)[0] == status


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([picture()] * 4, "4 rows; at most 3"),
        ([picture(101, 100)], "row 0: 101 x 100 pixels; at most 10,000"),
        ([picture(80, 80)] * 2, "12,800 pixels in all pictures"),
        ([picture(5000, 1)], "row 0: 5000 x 1 pixels would be"),
        ([picture(), encoded(b"x" * 9)], "row 1: not a picture"),
        ([picture(), 3, None], "row 1: expected an image in base64, found int; row 2: .* found NoneType"),
    ],
)
def test_limits_each_and_together(app: Starlette, rows: list[object], reason: str) -> None:
    status, text = ask(app, records(*rows))
    assert status == 400
    with pytest.raises(ValueError, match=reason):
        raise ValueError(json.loads(text)["message"])


def test_bytes_are_counted_while_they_come(app: Starlette) -> None:
    """In pieces, with a length that is a lie, and without an end."""
    piece = b" " * 1000
    assert ask(app, [piece] * 21)[0] == 413
    assert ask(app, [piece] * 1000)[0] == 413
    assert ask(app, [piece] * 21, headers=[(b"content-length", b"5")])[0] == 413
    assert ask(app, b"{}", headers=[(b"content-length", b"9" * 40)])[0] == 413
    assert ask(app, [*([piece] * 3), records(picture())])[0] == 200
    assert ask(app, [piece, b"", piece[:1]], headers=[(b"content-length", b"3000")])[0] == 400


def test_a_slow_body_is_given_up(app: Starlette) -> None:
    async def never() -> Message:
        await asyncio.sleep(60)
        return {}

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, never, send)

    assert ask(slow)[0] == 408


def test_types_of_content(app: Starlette) -> None:
    for kind in (None, "", "text/plain", "application/vnd.apache.parquet", "application/json; charset=utf-7"):
        assert ask(app, b"PAR1", kind)[0] == 415


def test_an_error_of_ours_shows_nothing(answerer: Answerer, monkeypatch: pytest.MonkeyPatch) -> None:
    app = http.app(answerer, "1")
    monkeypatch.setattr(answerer, "answer", lambda values: 1 / 0)

    async def kept(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ZeroDivisionError):  # which is for the server's log
            await app(scope, receive, send)

    message = "the model could not answer; the server's log says why"
    assert ask(kept, records(picture())) == (500, f'{{"error_code":"INTERNAL_ERROR","message":"{message}"}}')
