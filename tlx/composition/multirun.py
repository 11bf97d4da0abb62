"""Many trials from one command line: Hydra's basic sweeper's product, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tlx._compat.config_nodes import is_none, node_at
from tlx._compat.hydra_parts import combinations
from tlx.composition import request
from tlx.composition.diagnosis import diagnose
from tlx.composition.overrides import parsed, trials, with_options
from tlx.composition.tree import launcher, start, tree
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import EXPERIMENT
from tlx.config.sweep import Sweeping


@dataclass(frozen=True)
class Outline:
    """What a command line is about, told from its choices alone."""

    kind: Literal["sweep", "study", "search"]
    experiment: str  # as it is chosen; empty without one
    launcher: str  # that the experiment names; empty where it names none

    @property
    def name(self) -> str:
        """The experiment's name, as part of a folder's."""
        return self.experiment.replace("/", "-") or "sweep"


def outline(overrides: Sequence[str]) -> Outline:
    """Say what a command line is about: a study or a search if the experiment it chooses holds one, else a sweep.

    Raises:
        ConfigError: The choices cannot be composed, or a study or a search is given several values of a setting.
    """
    chosen = first_choices(overrides)
    name = next((word.partition("=")[2] for word in chosen if word.startswith(f"{EXPERIMENT}=")), "")
    try:
        found, named = tree(chosen), launcher(chosen)
    except ConfigError as error:
        firsts = [_with_first(word) if _is_sweep(word) else word for word in overrides]
        raise ConfigError(diagnose(request.read(firsts)) or error.problems) from None
    kinds = {"study": node_at(found, "study"), "search": node_at(found, "search")}
    kind = next((part for part, node in kinds.items() if isinstance(node, DictConfig) and not is_none(node)), "")
    if not kind or _varies(EXPERIMENT, overrides):
        return Outline("sweep", name, named)
    problems = [_instead(word, kind) for word in overrides if _is_sweep(word)]
    if problems:
        raise ConfigError(problems)
    return Outline("study" if kind == "study" else "search", name, named)


def _instead(word: str, kind: str) -> ConfigIssue:
    key, _, values = word.partition("=")
    if key.startswith(("study.", "search.")):
        return ConfigIssue(key, f"a list is written in brackets: {key}=[{values}]", values)
    message = f"a {kind} says itself what it varies; give one value here, or vary it in the experiment's {kind}:"
    return ConfigIssue(key, message, values)


def _with_first(word: str) -> str:
    return f"{word.partition('=')[0]}={_first(parsed(word))}"


def _varies(key: str, overrides: Sequence[str]) -> bool:
    return any(_is_sweep(word) and parsed(word).key_or_group == key for word in overrides)


def _is_sweep(word: str) -> bool:
    try:
        return parsed(word).is_sweep_override()
    except ConfigError:
        return False  # compose says what is wrong with it


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Write out the trials of a multirun, each as its overrides.

    Raises:
        ConfigError: A word is no override, or there are more trials than ``sweep.max_trials``, which is told before
            any of them is written out.
    """
    start()
    with initialize_config_module("tlx.conf", version_base="1.3", job_name="tlx"):
        loader = GlobalHydra.instance().config_loader()  # lists options for glob(...)
    problems: list[ConfigIssue] = []
    found = []
    for text in overrides:
        try:
            found.append(with_options(parsed(text), loader))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    count = trials(found)
    most = _most(overrides, found) if count > 1 else 1
    if count > most:
        message = f"this is {count:,} trials; leave some values out, or allow as many: sweep.max_trials={count}"
        raise ConfigError([ConfigIssue("sweep.max_trials", message, most)])
    if count == 0:
        raise ConfigError([ConfigIssue("sweep", "no trials: a range is empty", " ".join(overrides))])
    try:
        return combinations(found)
    except HydraException as error:
        raise ConfigError([ConfigIssue("sweep", str(error))]) from None


def varied(overrides: Sequence[str]) -> list[str]:
    """The keys that get several values."""
    return list(dict.fromkeys(parsed(word).key_or_group for word in overrides if _is_sweep(word)))


def is_sweep(words: Sequence[str]) -> bool:
    """Does an override give several values to one key?"""
    return any(_is_sweep(word) for word in words)


def first_choices(overrides: Sequence[str]) -> tuple[str, ...]:
    """What the first trial of a multirun chooses, as Hydra's overrides; words that are none are left out."""
    found: dict[str, str] = {}
    for text in overrides:
        try:
            one = parsed(text)
            if one.key_or_group in request.SELECTABLE and not one.is_delete():
                found[one.key_or_group] = _first(one)
        except (ConfigError, HydraException):  # composing a trial says what is wrong with it
            continue
    return tuple(f"{group}={option}" for group, option in found.items() if option not in ("", "null"))


def _first(override: Override) -> str:
    if not override.is_sweep_override():
        return str(override.get_value_element_as_str())
    return next(iter(override.sweep_string_iterator()), "null")


def _most(overrides: Sequence[str], found: Sequence[Override]) -> int:
    """How many trials a sweep may have: by the command line, or by what its first trial chooses."""
    most: object = next((one.value() for one in found if one.key_or_group == "sweep.max_trials"), None)
    if most is None:
        try:
            most = OmegaConf.select(tree(first_choices(overrides)), "sweep.max_trials")
        except (ConfigError, OmegaConfBaseException):  # composing that trial says what is wrong with it
            most = None
    return most if isinstance(most, int) and not isinstance(most, bool) else Sweeping.max_trials
