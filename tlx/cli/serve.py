"""tlx serve MODEL [--host 127.0.0.1] [--port 5001] [--allow-host NAME ...]: answer requests with a trained model.

tlx serve runs/resnet18-fine_tune-...       a run folder, a bundle or an MLflow model folder
tlx serve models:/birds/1                   a registered model, or models:/m-... of tlx export
tlx serve models:/birds/1 --host 0.0.0.0 --allow-host birds.example.org

The protocol is that of mlflow models serve: /ping, /version, and /invocations for JSON (dataframe_records,
dataframe_split, instances, inputs) and CSV with the columns that the model reads: images in base64 or as nested lists,
texts, numbers, words. Requests for other host names than localhost, --host and those of --allow-host are refused.

What a request may ask for, by option or variable:

"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import sys
from dataclasses import fields
from typing import Any

from tlx.cli.arguments import Arguments
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.serving import limits
from tlx.serving.limits import Limits

__doc__ += limits.described()
HOST, PORT = "127.0.0.1", "5001"
_NAME = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]", re.ASCII)


def run(words: list[str]) -> int:
    """The verb: serves until Ctrl-C."""
    arguments = Arguments()
    arguments.value("--host", "an address of this machine")
    arguments.value("--port", "a port number")
    arguments.value("--allow-host", "a host name", repeated=True)
    for one in fields(Limits):
        arguments.value(limits.option(one.name), str(one.metadata[limits.HELP]))
    asked = vars(arguments.take(words))
    words, port, allowed = asked["words"], asked["port"] or PORT, asked["allow_host"]
    _check(words, port, allowed)
    named = {one.name: asked[limits.option(one.name).strip("-").replace("-", "_")] for one in fields(Limits)}
    most = limits.settled({name: value for name, value in named.items() if value is not None})
    with _bound(asked["host"] or HOST, int(port)) as listener:
        return _serve(words[0], listener, allowed, most)


def _check(words: list[str], port: str, allowed: list[str]) -> None:
    problems = []
    if len(words) != 1:
        shown = " ".join(words) or "nothing"
        problems.append(ConfigIssue("model", "expected one model: a run folder, a bundle, or models:/...", shown))
    if not re.fullmatch("[0-9]{1,5}", port, re.ASCII) or not 0 < int(port) < 1 << 16:
        problems.append(ConfigIssue("--port", "expected a port number, 1 to 65535", port))
    for name in allowed:
        if not _NAME.fullmatch(name):
            problems.append(
                ConfigIssue("--allow-host", "expected a name, an address or *.domain, without a port", name)
            )
    if problems:
        raise ConfigError(problems)


def _bound(host: str, port: int) -> socket.socket:
    """A socket at that address, so that a taken port is known before a model is read; it does not listen yet."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise ConfigError([ConfigIssue("--host", f"is no address of this machine: {error}", host)]) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        message = f"cannot be listened at: {error.strerror}; choose another --port or --host"
        raise ConfigError([ConfigIssue("--port", message, f"{host}:{port}")]) from None
    return listener


def _serve(word: str, listener: socket.socket, allowed: list[str], most: Limits) -> int:
    _leave_working_directory()
    import uvicorn

    from tlx.prediction.values import described
    from tlx.serving import find, http
    from tlx.serving.answers import Answerer
    from tlx.training.quiet import quiet
    from tlx.version import VERSION

    with quiet():
        answerer = Answerer(find.model(word), most)
    host, port = listener.getsockname()[:2]
    here = f"[{host}]" if ":" in host else host
    address = ipaddress.ip_address(host.partition("%")[0])
    hosts = list(dict.fromkeys([*http.LOCAL, *allowed, *([] if address.is_unspecified else [here])]))
    print(f"serving {word} at http://{here}:{port} ({described(answerer.columns)}; Ctrl-C ends it)", flush=True)
    if not address.is_loopback:
        print(f"every machine that reaches this one can ask; as host it must name {', '.join(hosts)}", flush=True)
    uvicorn.Server(_settings(http.app(answerer, VERSION, hosts), most)).run([listener])
    return 0


def _settings(app: Any, most: Limits) -> Any:
    """One process; as many connections at a time as the limit; no header of a proxy is believed."""
    import uvicorn

    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        limit_concurrency=most.connections,
        backlog=most.connections,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=16 << 10,
    )


def _leave_working_directory() -> None:
    """Import nothing from it, here and in children: ``python -m tlx`` puts it first."""
    os.environ["PYTHONSAFEPATH"] = "1"
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
