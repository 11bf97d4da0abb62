"""The server of ``tlx serve``: MLflow's scoring protocol, for known host names, with bounded bodies and no traces.

The answers are those of ``mlflow models serve``. MLflow's own application is not used: it parses a body before a model
sees it, whatever its depth and size, and puts stack traces into its answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tlx.serving import body
from tlx.serving.answers import Answerer
from tlx.serving.inputs import InvalidInput
from tlx.serving.limits import Limits

LOCAL = ("localhost", "127.0.0.1", "[::1]")
_DRAINED = 8  # times the limit: so much of a body is read and dropped, so that its sender gets to the answer
_CODES = {400: "INVALID_PARAMETER_VALUE", 404: "ENDPOINT_NOT_FOUND", 500: "INTERNAL_ERROR"}


class _Refused(Exception):
    """A request that is answered without the model."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def app(answerer: Answerer, version: str, hosts: Sequence[str] = LOCAL) -> Starlette:
    """The application.

    Args:
        answerer: The model.
        version: What ``/version`` answers.
        hosts: What a request's ``Host`` may be: names, addresses, or ``*.domain``. Others are refused, as a page
            anywhere can have its own name point to this machine and so reach a server that listens only here.

    Returns:
        An ASGI application with ``/ping``, ``/health``, ``/version`` and ``/invocations``.
    """

    async def ping(request: Request) -> Response:
        return Response("\n", media_type="application/json")

    async def tell(request: Request) -> Response:
        return Response(version, media_type="application/json")

    async def invocations(request: Request) -> Response:
        limits = answerer.limits
        try:
            media = body.kind(request.headers.get("content-type"))
            content = await _content(request, limits)
            found = await run_in_threadpool(_answers, answerer, content, media)
        except body.Unsupported as reason:
            return _error(415, str(reason))
        except InvalidInput as reason:
            return _error(400, str(reason))
        except _Refused as reason:
            return _error(reason.status, str(reason))
        return JSONResponse({"predictions": found})

    routes = [
        Route("/ping", ping),
        Route("/health", ping),
        Route("/version", tell),
        Route("/invocations", invocations, methods=["POST"]),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )


def _answers(answerer: Answerer, content: bytes, media: str) -> list[dict[str, Any]]:
    return answerer.answer(body.rows(content, media, list(answerer.columns), answerer.limits))


async def _content(request: Request, limits: Limits) -> bytes:
    """The whole body; raises :class:`_Refused` for one that is larger than the limit, or slow."""
    most = limits.bytes
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and (len(declared) > 15 or int(declared) > most * _DRAINED):
        raise _Refused(413, f"the body is larger than {most:,} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():  # what comes is counted, whatever was declared
                size += len(part)
                if size <= most:
                    parts.append(part)
                else:
                    parts.clear()
                if size > most * _DRAINED:
                    break
    except TimeoutError:
        raise _Refused(413 if size > most else 408, f"the body did not arrive within {limits.seconds} s") from None
    except ClientDisconnect:
        raise _Refused(400, "the body ended before it was whole") from None
    if size > most:
        raise _Refused(413, f"the body is larger than {most:,} bytes")
    return b"".join(parts)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, error.detail, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """An error of ours: the trace is for the server's log, which Starlette writes as it raises it again."""
    return _error(500, "the model could not answer; the server's log says why")


def _error(status: int, message: str, headers: Any = None) -> Response:
    code = _CODES.get(status, "BAD_REQUEST")
    return JSONResponse({"error_code": code, "message": message}, status, headers=dict(headers or {}))
