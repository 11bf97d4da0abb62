"""What MLflow and the libraries under it log: less of it, and without secrets."""

from __future__ import annotations

import logging

from tlx.files.secrets import redacted

_QUIET = {  # they announce every table, and each of their own tries; what fails in the end we say ourselves
    "alembic": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,
    "urllib3.connectionpool": logging.ERROR,
}
_LOGGERS = ("", "mlflow", "alembic", "sqlalchemy", "urllib3")  # whose handlers print


class _Redacting(logging.Filter):
    """Takes the secrets of all stores that were opened out of what a handler is about to print."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (clean := redacted(message, *self.known)) != message:
            record.msg, record.args = clean, ()
        if record.exc_info:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info), *self.known)
        return True


_redacting = _Redacting()


def guard(uri: str) -> None:
    """See that nothing of a store's secrets is logged from now on, by whatever library; MLflow is imported already."""
    _redacting.known.add(uri)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    handlers = [handler for name in _LOGGERS for handler in logging.getLogger(name).handlers]
    for handler in [*handlers, *([logging.lastResort] if logging.lastResort is not None else [])]:
        handler.addFilter(_redacting)  # again is harmless
