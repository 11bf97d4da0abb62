"""In a trial's own process: its validations are reported to the study, which may say that it is not worth going on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tlx._compat import optuna_trials
from tlx.config.search import Pruning
from tlx.orchestration.optuna_storage import opened, pruner

PRUNED = "Pruned"


class Pruned(SystemExit):
    """The trial does worse than others did at this round."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass
class Pruner:
    """Watches the rounds of trial ``number`` of a study; can be sent to another process."""

    where: str  # the study's storage
    study: str
    number: int
    options: Pruning
    _trial: Any = None

    def watch(self, rounds: int, values: Mapping[str, float | None]) -> None:
        """After a round: report it; raises :class:`Pruned`. ``values`` are a validation's."""
        value = values.get(self.options.metric.removeprefix("val/"))
        if value is None:
            return
        trial = self._opened()
        trial.report(value, rounds)
        if trial.should_prune():
            raise Pruned(f"{self.options.metric} {value:.4g} at round {rounds} ({self.options.kind})")

    def _opened(self) -> Any:
        if self._trial is None:
            import optuna

            study = optuna.load_study(study_name=self.study, storage=opened(self.where), pruner=pruner(self.options))
            self._trial = optuna_trials.trial(study, self.number)
        return self._trial
