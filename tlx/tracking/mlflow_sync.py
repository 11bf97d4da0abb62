"""MLflow as a view of event logs: a background thread sends what is new, and can never hurt training.

Every send is idempotent: ``mlflow.json`` in the run folder remembers the run, and how much of the event log it has.
A store that fails is tried again, less and less often; what could not be sent stays in the event log, and ``tlx sync``
sends it later. At the end a store that does not answer is waited for ``tracking.patience`` seconds.
"""

from __future__ import annotations

import logging
import os
import shlex
import threading
import time
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.tracking import Tracking
from tlx.files import foreign
from tlx.files.printable import printable
from tlx.tracking import address, event_log, state, store
from tlx.tracking.sending import send as send
from tlx.tracking.state import run_id as run_id

FILE = state.FILE
_PERIOD, _LONGEST = 2.0, 60.0  # seconds between looks at the event logs; the longest, while the store fails
_PARENT, _PAUSE = 5.0, 0.2  # seconds to wait at the end for the run of a parent, and between looks for it
_LOCAL = 120.0  # seconds at the end for loading MLflow and making a database, on a machine that is busy
_ALTOGETHER = 6  # times the patience: how long the end takes at most with a store that is slow, but answers
_log = logging.getLogger("tlx.tracking")


class MLflowSync:
    """Sends the event logs of the folders it watches. Use as a context manager; leaving it sends the rest."""

    def __init__(self, tracking: Tracking) -> None:
        if not tracking.patience >= 0:
            raise ConfigError([ConfigIssue("tracking.patience", "expected 0 or more seconds", tracking.patience)])
        self.uri = store.uri(tracking) if tracking.kind == "mlflow" else ""
        self.failure = ""  # why the last attempt to send failed, if it did
        self._tracking = tracking
        self._watched: dict[Path, tuple[Path | None, tuple[str, int]]] = {}  # run folder -> its parent's, what is old
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._local = threading.Event()  # all that has to be loaded and made on this machine is
        self._heard = 0.0  # when the store last answered
        self._thread = threading.Thread(target=self._run, name="mlflow-sync", daemon=True)
        self._client: Any = None

    def __enter__(self) -> MLflowSync:
        if self.uri:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self.uri:
            return
        self._stop.set()
        latest = time.monotonic() + _LOCAL + self._tracking.patience
        while self._thread.is_alive() and not self._local.wait(_PAUSE) and time.monotonic() < latest:
            pass
        began, patience = time.monotonic(), self._tracking.patience
        while self._thread.is_alive():
            now = time.monotonic()
            left = min(max(began, self._heard) + patience - now, began + _ALTOGETHER * patience - now)
            if left <= 0:
                self.failure = self.failure or f"no answer within {patience:g} s"
                break  # the thread ends with the process
            self._thread.join(min(left, _LONGEST))
        if self.failure:
            _log.warning("MLflow has not got all of it (%s); to send the rest: %s", self.failure, self._command())

    def _command(self) -> str:
        """What sends the rest."""
        root = os.path.relpath(next((one.parent for one in list(self._watched)), "runs"))
        words = [root] if root != "runs" else []
        words += [f"tracking.uri={self._tracking.uri}"] if self._tracking.uri else []
        return shlex.join(["tlx", "sync", *words])

    def watch(self, folder: Path, parent: Path | None = None) -> None:
        """Mirror this run folder from now on, as a child of another watched folder's run if given."""
        older = _stand(folder)  # an attempt that is over; the one to be watched sets it aside or goes on from it
        with self._lock:
            self._watched.setdefault(folder, (parent, older))

    def is_behind(self, folder: Path) -> bool:
        """Has MLflow not got all of a folder's event log?"""
        return bool(self.uri) and bool(event_log.attempt(folder)) and _stand(folder) != self._sent(folder)

    def catch_up(self, *folders: Path, parent: Path | None = None) -> None:
        """Send what MLflow has not got of these: who ran them was killed before it could."""
        for folder in folders:
            if self.is_behind(folder):
                with self._lock:
                    self._watched.setdefault(folder, (parent, self._sent(folder)))

    def _sent(self, folder: Path) -> tuple[str, int]:
        known = state.read(folder, self.uri)
        return (known.attempt, known.at) if known is not None else ("", 0)

    def _run(self) -> None:
        try:
            self._loop()
        finally:
            self._local.set()

    def _loop(self) -> None:
        pause = _PERIOD
        while not self._stop.wait(pause):
            self._send_all()
            pause = min(_LONGEST, 2 * pause) if self.failure else _PERIOD
        deadline = time.monotonic() + _PARENT
        while self._send_all() and time.monotonic() < deadline:
            self._heard = time.monotonic()  # another process is waited for, not the store
            time.sleep(_PAUSE)
        if not self.failure:
            self._send_all(orphans=True)

    def _send_all(self, orphans: bool = False) -> bool:
        """Send what is new. Returns whether some wait for the run of a sweep that another process keeps the record of;
        as ``orphans`` they are sent without, for ``tlx sync`` to put right.
        """
        with self._lock:
            watched = list(self._watched.items())
        waiting = False
        for folder, (parent, older) in watched:
            if not event_log.attempt(folder) or _stand(folder) == older:
                continue
            if parent is not None and run_id(parent, self.uri) is None and not orphans:
                waiting = True
                continue
            try:
                ended = send(self._opened(), self.uri, folder, parent)
            except foreign.Unreadable as reason:  # the others are none the worse for it
                _log.warning("%s is not sent to MLflow: %s", printable(folder), printable(reason))
                ended = True
            except Exception as error:  # whatever the store raises, training goes on and the event log is whole
                self._failed(store.failure(error, self.uri))
                return False
            if ended:
                with self._lock:
                    self._watched.pop(folder, None)
        self.failure = ""
        return waiting

    def _opened(self) -> Any:
        """The client, made at its first use: MLflow takes seconds to load, and as many to make a database."""
        if self._client is None:
            import mlflow  # noqa: F401

            if address.file_of(self.uri) is None:  # others may not answer; a file is only made
                self._hears()
            self._client = _Heard(store.client(self.uri), self._hears)
            self._hears()
        return self._client

    def _hears(self) -> None:
        self._heard = time.monotonic()
        self._local.set()

    def _failed(self, reason: str) -> None:
        if not self.failure and not self._stop.is_set():
            _log.warning("MLflow cannot be reached now (%s); training goes on, and it is tried again", reason)
        self.failure = reason


class _Heard:
    """A client that tells when its store has answered."""

    def __init__(self, client: Any, hears: Any) -> None:
        self._client = client
        self._hears = hears

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **options: Any) -> Any:
            found = method(*args, **options)
            self._hears()
            return found

        return call


def _stand(folder: Path) -> tuple[str, int]:
    """The attempt an event log is of, and how far it has come, in bytes."""
    return event_log.attempt(folder), event_log.size(folder)
