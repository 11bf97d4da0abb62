"""A worker that is killed when the seed is 1, in the middle of its trial."""

from __future__ import annotations

import os
import signal
from typing import Any

from tlx.config.schema import Trial
from tlx.orchestration import worker

_run = worker.run


def run(trials: list[Trial], *rest: Any) -> None:
    """As the real one, until the first metric is written."""
    if any(trial.seed == 1 for trial in trials):
        from tlx.training.module import TrialModule

        def dies(self: TrialModule) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        TrialModule.on_train_epoch_end = dies  # type: ignore[method-assign]
    _run(trials, *rest)
