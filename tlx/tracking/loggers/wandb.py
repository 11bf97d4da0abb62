"""Sends rows to Weights & Biases, or keeps them in W&B's own folder (``wandb``, or ``WANDB_DIR``) for ``wandb sync``.

A trial is one run there, known by the id of its attempt. Where W&B has rows of an interrupted process, those are not
sent again; offline that cannot be known, so the new offline run holds all of them, and is the one that counts.
"""

from __future__ import annotations

import netrc
import os
from typing import Any
from urllib.parse import urlsplit

from tlx.config import loggers
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.tracking.logger import Logger, MetricRow, RunInfo

STEP = "trainer/global_step"  # as Lightning calls it
_SERVER = "https://api.wandb.ai"


class WandbLogger(Logger):
    """Logs every row as one of W&B's history, over the optimizer steps."""

    def __init__(self, options: loggers.Wandb) -> None:
        self._options = options
        self._run: Any = None
        self._rows = 0  # that W&B has and is not sent again

    def open(self, run: RunInfo) -> None:
        """Begin a run, or go on with it; offline, which is said, where that is all that can be done.

        Raises:
            ValueError: ``mode=online`` is asked for, and there is no API key.
            Exception: What W&B raises.
        """
        mode = os.environ.get("WANDB_MODE", "auto") if self._options.mode == "auto" else self._options.mode
        if mode == "online" and not _has_key():
            raise ValueError("there is no API key; run: wandb login")
        if mode == "auto" and not _has_key():
            run.say(f"loggers.wandb: offline, as there is no API key (wandb login); {_LATER}")
            mode = "offline"
        try:
            self._run = self._begun(run, "online" if mode == "auto" else mode)
        except Exception as error:  # whatever W&B raises without a network
            if mode != "auto":
                raise
            reason = printable(redacted(f"{type(error).__name__}: {error}"))
            run.say(f"loggers.wandb: offline, as W&B cannot be reached ({reason}); {_LATER}")
            self._run = self._begun(run, "offline")
        self._rows = int(self._run.step)
        self._run.define_metric(STEP)
        self._run.define_metric("*", step_metric=STEP)

    def row(self, row: MetricRow) -> None:
        """Log it, unless W&B has it."""
        if self._rows:
            self._rows -= 1
            return
        values = {name: value for name, value in row.values.items() if value is not None}
        self._run.log({**values, "epoch": row.epoch, STEP: row.step})

    def close(self, status: str) -> None:
        """End the run, and wait for the upload as long as ``patience`` says."""
        self._run.finish(exit_code=0 if status == "FINISHED" else 1)

    def _begun(self, run: RunInfo, mode: str) -> Any:
        import wandb

        options: dict[str, Any] = {
            "project": self._options.project or os.environ.get("WANDB_PROJECT") or "tlx",
            "entity": self._options.entity,
            "mode": mode,
            "id": run.attempt,
            "name": run.name,
            "group": run.experiment,
            "config": {**run.params, **run.tags},
            "resume": "allow" if mode == "online" else None,
            "reinit": "create_new",  # heads side by side are several runs of one process
        }
        settings = {
            "console": "off",
            "silent": True,
            "init_timeout": self._options.patience,
            "finish_timeout": self._options.patience,
            "disable_git": True,  # what the code was is in the tags
            "disable_code": True,
            "save_code": False,
        }
        return wandb.init(**options, settings=settings)


_LATER = "wandb sync sends it later"


def _has_key() -> bool:
    """Is there an API key for the server, in the environment or where ``wandb login`` puts it?"""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", _SERVER)).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
