"""Ask an application without a server: any method, headers and pieces of a body, and what comes back."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from PIL import Image
from starlette.types import ASGIApp, Message

JSON = "application/json"


def ask(
    app: ASGIApp,
    body: bytes | Sequence[bytes] = b"",
    kind: str | None = JSON,
    host: str | None = "localhost:5001",
    path: str = "/invocations",
    method: str = "POST",
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> tuple[int, str]:
    """Status and text of the answer."""
    parts = [body] if isinstance(body, bytes) else list(body)
    given = [(b"host", host.encode("latin-1"))] if host is not None else []
    given += [(b"content-type", kind.encode("latin-1"))] if kind is not None else []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [*given, *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 5001),
    }
    sent: list[Message] = []
    left = list(parts)

    async def receive() -> Message:
        if left:
            part = left.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(left)}
        if parts:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    text = b"".join(message.get("body", b"") for message in sent[1:])
    return int(sent[0]["status"]), text.decode()


def records(*rows: Any, column: str = "image") -> bytes:
    """A request of rows."""
    return json.dumps({"dataframe_records": [{column: row} for row in rows]}).encode()


def picture(width: int = 8, height: int = 8) -> str:
    """A grey picture in base64."""
    stream = io.BytesIO()
    Image.new("L", (width, height), 200).save(stream, "PNG")
    return encoded(stream.getvalue())


def header(width: int, height: int, depth: int = 8, colours: int = 0) -> str:
    """A PNG that says it is as large as this, in some dozens of bytes of base64."""

    def part(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = part(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0))
    return encoded(b"\x89PNG\r\n\x1a\n" + head + part(b"IDAT", zlib.compress(bytes(64))) + part(b"IEND", b""))


def encoded(content: bytes) -> str:
    """Base64."""
    return base64.b64encode(content).decode()
