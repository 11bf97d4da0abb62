"""The search's memory: an Optuna study on disk, asked for proposals and told results, by one process or several."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlx._compat import optuna_trials
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.search import Search
from tlx.files import durable
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.orchestration.optuna_storage import need, opened, pruner
from tlx.orchestration.search import space as spaces
from tlx.orchestration.search.space import Dimension
from tlx.runs.lock import locked
from tlx.tracking import address

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

DATABASE, JOURNAL = "search.db", "search.journal"


def storage(options: Search, folder: Path) -> str:
    """Where the study lives: a URL, or the path of a journal file."""
    if options.storage is None:
        try:
            return address.of_file(folder.absolute() / DATABASE)
        except address.InvalidAddress as reason:
            raise ConfigError([ConfigIssue("output", str(reason), printable(folder.parent))]) from None
    return str(folder / JOURNAL) if options.storage == "journal" else options.storage


class Study:
    """Asks for proposals up to a total, and never twice for one place."""

    def __init__(self, name: str, options: Search, space: Mapping[str, Dimension], folder: Path) -> None:
        import sqlalchemy.exc

        optuna = need()
        linked = next((one for one in (folder, folder / DATABASE, folder / JOURNAL) if one.is_symlink()), None)
        if linked is not None:
            raise ConfigError([ConfigIssue("output", "is a symbolic link, and tlx writes through none", linked)])
        durable.make_folder(folder)
        self.name = name
        self.options = options
        self.space = space
        self.folder = folder
        self.where = storage(options, folder)
        with self._alone():  # two that create it at once would both fail
            try:
                self.study: Any = self._opened(optuna)
            except (ValueError, LookupError, TypeError, sqlalchemy.exc.SQLAlchemyError) as error:
                reason = printable(redacted((str(error) or type(error).__name__).splitlines()[0]))
                message = f"is no memory of a search ({reason}); move it away to begin the search anew"
                raise ConfigError([ConfigIssue("search.storage", message, redacted(self.where))]) from error

    def _opened(self, optuna: Any) -> Any:
        return optuna.create_study(
            storage=opened(self.where),
            study_name=self.name,
            sampler=_sampler(optuna, self.options, self.space, 0),
            pruner=pruner(self.options.pruning),
            directions=[objective.goal for objective in self.options.objectives],
            load_if_exists=True,
        )

    def _alone(self) -> AbstractContextManager[None]:
        """Commands that share the search take turns."""
        return locked(self.folder / "memory", "the search's database", patience=_TURN)

    @property
    def trials(self) -> list[FrozenTrial]:
        """Every trial so far."""
        return list(self.study.get_trials(deepcopy=False))

    def counts(self) -> dict[str, int]:
        """How many trials there are of each of Optuna's states."""
        states = [one.state.name.lower() for one in self.trials]
        return {state: states.count(state) for state in dict.fromkeys(sorted(states))}

    def running(self) -> dict[int, dict[str, Any]]:
        """Proposals without a result: by number, their settings."""
        return {
            one.number: spaces.values(one.params, self.space)
            for one in self.trials
            if one.state.name == "RUNNING" and self._is_whole(one)
        }

    def _is_whole(self, proposal: FrozenTrial) -> bool:
        """Does it name all of its settings?"""
        return bool(proposal.params.keys() == self.space.keys())

    def ask(self) -> tuple[int, dict[str, Any]] | None:
        """The next proposal, its number and settings; None when there are enough, or too many have failed."""
        with self._alone():
            trials = self.trials
            # nobody else proposes now: a command was killed in the middle of these
            halves = [one.number for one in trials if one.state.name == "RUNNING" and not self._is_whole(one)]
            if not halves and (len(trials) >= self.options.n_trials or self.too_many_failed()):
                return None
            number = halves[0] if halves else len(trials)
            # a proposal is a function of the seed, its number and what is known, whichever command asks for it
            self.study.sampler = _sampler(need(), self.options, self.space, number)
            trial = optuna_trials.trial(self.study, number) if halves else self.study.ask()
            spaces.propose(trial, self.space)
            return trial.number, spaces.values(trial.params, self.space)

    def tell(self, number: int, values: Sequence[float | None] | None, pruned: bool = False) -> None:
        """A trial's objectives; None for one that failed, or was ``pruned``. Again is harmless."""
        from optuna.trial import TrialState

        with self._alone():  # two that tell the same at once would both find it untold
            if values is not None and all(value is not None and math.isfinite(value) for value in values):
                self.study.tell(number, [float(v) for v in values if v is not None], skip_if_finished=True)
            else:
                state = TrialState.PRUNED if pruned else TrialState.FAIL
                self.study.tell(number, state=state, skip_if_finished=True)

    def too_many_failed(self) -> bool:
        """Is there little hope that going on finds anything?"""
        over = [one for one in self.trials if one.state.is_finished()]
        failed = sum(one.state.name == "FAIL" for one in over)
        return len(over) >= _ENOUGH and failed > self.options.max_failed * len(over)


_TURN = 60.0  # seconds to wait for another command's question to be answered
_PRIME = 1_000_003  # so that searches of neighbouring seeds have no proposals in common
_ENOUGH = 5  # trials, before a share of failed ones says something


def _sampler(optuna: Any, options: Search, space: Mapping[str, Dimension], number: int) -> Any:
    """The sampler for the proposal of this number; QMC's is one sequence, whose place the study remembers."""
    samplers, seed = optuna.samplers, options.seed * _PRIME + number
    made: dict[str, Callable[[], Any]] = {
        "tpe": lambda: samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
        "gp": lambda: samplers.GPSampler(seed=seed),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed),
        "qmc": lambda: samplers.QMCSampler(seed=options.seed),
        "random": lambda: samplers.RandomSampler(seed=seed),
        "grid": lambda: samplers.GridSampler(spaces.grid(space)[0], seed=seed),
        "nsga2": lambda: samplers.NSGAIISampler(seed=seed),
    }
    return made[options.sampler]()
