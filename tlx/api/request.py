"""What is asked for from Python: a trial, and where the lines go that a verb prints."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO, cast

from rich.console import Console

from tlx.composition import request
from tlx.composition.compose import compose, with_overrides
from tlx.composition.words import Words, written
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.reports.console import Steady, Terminal

_log = logging.getLogger("tlx")


def trial_of(asked: Words | Trial, settings: Mapping[str, Any]) -> Trial:
    """Compose a trial, or change some settings of a composed one; raises :class:`ConfigError`."""
    if not isinstance(asked, Trial):
        return compose(asked, **settings)
    if not settings:
        return asked
    found = request.read(written((), settings))
    message = "a composed trial has chosen already, its settings alone can be changed; compose it with this choice"
    problems = [*found.problems, *(ConfigIssue(key, message, one.value) for key, one in found.choices.items())]
    if problems:
        raise ConfigError(problems)
    return with_overrides(asked, {setting.key: setting.value for setting in found.settings})


def speaker(quiet: bool, say: Callable[[str], None] | None = None) -> tuple[Console, Callable[[str], None]]:
    """Where progress is shown, and what hears lines: the output, or the log ``tlx`` (level INFO) where ``quiet``.

    Where somebody else hears the lines (``say``), nothing is shown.

    An output that is closed or fails takes what is printed with it, and nothing else.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if say is not None:
        return Terminal(quiet=True), say
    if quiet or sys.stdout is None:
        return Terminal(quiet=True), lambda line: _log.info("%s", line)
    console = Terminal(file=cast(TextIO, Steady(sys.stdout, 0, goes_on=True)), soft_wrap=False)
    return console, lambda line: console.print(line, markup=False, soft_wrap=True)
