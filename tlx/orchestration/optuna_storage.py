"""Optuna's memory of a search, opened from any process that works for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.search import Pruning


def need() -> Any:
    """Optuna; raises :class:`ConfigError` where it is not installed."""
    try:
        import optuna
    except ImportError:
        message = "a search needs Optuna; run: pip install 'tlx[search]'"
        raise ConfigError([ConfigIssue("search", message)]) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def opened(where: str) -> Any:
    """The storage behind :func:`storage`'s answer."""
    optuna = need()
    if "://" in where:
        return optuna.storages.RDBStorage(where)
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    return JournalStorage(JournalFileBackend(where))


def pruner(options: Pruning | None) -> Any:
    """Optuna's pruner."""
    pruners = need().pruners
    if options is None:
        return pruners.NopPruner()
    made: dict[str, Callable[[], Any]] = {
        "median": lambda: pruners.MedianPruner(n_startup_trials=options.startup, n_warmup_steps=options.patience),
        "asha": lambda: pruners.SuccessiveHalvingPruner(min_resource=max(1, options.patience)),
        "hyperband": lambda: pruners.HyperbandPruner(min_resource=max(1, options.patience)),
    }
    return made[options.kind]()
