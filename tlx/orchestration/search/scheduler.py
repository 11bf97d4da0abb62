"""Turn the proposals of a search into trials, and tell it their results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tlx.composition.compose import compose
from tlx.composition.study_rules import OF_TEST, decides_examples
from tlx.config import output
from tlx.config.amount import AUTO, Amount
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.identity import identity_fields
from tlx.config.schema import Trial
from tlx.config.search import Search
from tlx.files.secrets import redacted, secrets_in
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.jobs import Job, Outcome
from tlx.orchestration.optuna_storage import need
from tlx.orchestration.pruning import Pruner
from tlx.orchestration.search import space as spaces
from tlx.orchestration.search.study import Study

# what decides how long the rounds are that `strategy.validate_every=auto` finds: choices, and settings
_CHOICES = ("strategy", "dataset")
_SETTINGS = ("budget", "phases", "averaging", "controller")  # of the strategy


class SearchScheduler:
    """Turns proposals into trials, and their results into what the study is told."""

    def __init__(self, name: str, words: list[str]) -> None:
        need()
        self.name = name
        self.words = [word for word in words if not word.startswith("search.")]
        self.base = base = compose(words)
        if base.search is None:
            raise ConfigError([ConfigIssue("search", "this experiment has no search")])
        self.options = base.search
        self.space = verify(base, self.options)
        sources = [self.options.space, [asdict(one) for one in self.options.objectives], self.options.sampler]
        plain = compose(self.words)
        text = json.dumps([identity_fields(plain), sources], sort_keys=True, default=str)
        title = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"  # another space is another search
        self.folder = Path(base.output).expanduser().resolve() / title
        output.claim(self.folder.parent)
        self.study = Study(title, self.options, self.space, self.folder)
        self.numbers: dict[str, list[int]] = {}  # of the study's trials, by identity
        self.folders: dict[int, str] = {}

    @property
    def num_pending(self) -> int:
        """How many proposals are still to come."""
        return max(0, self.options.n_trials - len(self.study.trials))

    def initial_jobs(self, slots: int) -> list[Job]:
        """What was proposed and has no result, and new proposals for the slots that are left."""
        jobs = [self._job(number, values) for number, values in self.study.running().items()]
        while len(jobs) < slots and (job := self._next()) is not None:
            jobs.append(job)
        return list({job.place.identity: job for job in jobs}.values())

    def on_result(self, outcome: Outcome) -> Iterable[Job]:
        """Tell a result, and propose another trial."""
        numbers = self.numbers.pop(outcome.job.place.identity, [])
        if not numbers:
            return []
        result = outcome.result
        found = None if result is None else [result.metrics.get(one.metric) for one in self.options.objectives]
        for number in numbers:
            self.study.tell(number, found, pruned=outcome.pruned)
        job = self._next()
        return [job] if job is not None else []

    def _next(self) -> Job | None:
        """A trial that is not already on its way; one that is, is told the same result when it ends."""
        while (asked := self.study.ask()) is not None:
            fresh = (job := self._job(*asked)).place.identity
            if len(self.numbers[fresh]) == 1:
                return job
        return None

    def _job(self, number: int, values: dict[str, Any]) -> Job:
        job = sweeps.job(compose(self.words, {**values, "search": None, "sweep.varied": list(values)}))
        job.alone = True  # each is begun when another ends
        if self.options.pruning is not None:
            job.pruner = Pruner(self.study.where, self.study.name, number, self.options.pruning)
        self.numbers.setdefault(job.place.identity, []).append(number)
        self.folders[number] = job.place.path.name
        return job


def _counts_steps(base: Trial) -> bool:
    """Is a length of a trial given in steps?"""
    strategy = base.strategy
    every = [strategy.controller.every] if strategy.controller is not None else []
    lengths = [strategy.budget, *(phase.until for phase in strategy.phases), *every]
    return any(Amount.parse(one).unit == "steps" for one in lengths if one is not None and one[:1].isdecimal())


def verify(base: Trial, options: Search) -> dict[str, spaces.Dimension]:
    """The space; raises :class:`ConfigError` with everything wrong in a search, its outermost trials included."""
    space, problems = spaces.read(options.space)
    if options.sampler == "grid":
        problems += spaces.grid(space)[1]
    if options.n_trials < 1:
        problems.append(ConfigIssue("search.n_trials", "expected 1 or more", options.n_trials))
    if not options.objectives:
        problems.append(ConfigIssue("search.objectives", "empty: nothing says which trial is better"))
    if len(options.objectives) > 1 and options.sampler == "cmaes":
        problems.append(ConfigIssue("search.sampler", "cmaes is for one objective; use tpe, nsga2 or gp", "cmaes"))
    if options.pruning is not None and len(options.objectives) > 1:
        problems.append(ConfigIssue("search.pruning", "pruning is for one objective; leave one of the two out"))
    if options.pruning is not None and (base.hardware.devices or 1) * base.hardware.nodes > 1:
        problems.append(ConfigIssue("search.pruning", "trials on several devices are not pruned; leave it out"))
    steps = ("batch_size",) if _counts_steps(base) else ()  # of which an epoch has fewer the larger a batch
    lengths = tuple(f"strategy.{one}." for one in (*_SETTINGS, *steps))
    moved = [key for key in space if key in _CHOICES or f"{key}.".startswith(lengths) or decides_examples(key)]
    if options.pruning is not None and base.strategy.validate_every == AUTO and moved:
        message = f"pruning compares trials at equal rounds, and {', '.join(moved)} decides how long they are; "
        message += "set a length, such as '1 epochs'"
        problems.append(ConfigIssue("strategy.validate_every", message, AUTO))
    for key in sorted({*OF_TEST} & space.keys()):
        message = "is seen by the test alone, and nothing is chosen by that: on validation all trials are equal"
        problems.append(ConfigIssue(f"search.space.{key}", f"{message}; leave it out", None))
    if options.storage is not None and secrets_in(options.storage):
        message = "holds a password or a token, and is kept beside the search; leave it to PGPASSWORD or ~/.pgpass"
        problems.append(ConfigIssue("search.storage", message, redacted(options.storage)))
    if problems:
        raise ConfigError(problems)
    return space
