"""From overrides to a checked configuration: ``compose`` for one trial, ``expand`` for a sweep."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tlx.config import check, choices, explain, interpolations, places, request, rules, schema
from tlx.config.errors import ConfigError, Problem
from tlx.config.overrides import parsed, trials, with_options
from tlx.config.schema import Trial
from tlx.report.options import Study
from tlx.search.options import Search
from tlx.sweep.options import Sweeping

_Files = tuple[tuple[str, int], ...]  # paths, and when they were changed


def compose(overrides: Sequence[str] = (), *, whole: bool = True) -> Trial:
    """Compose and check one trial; raises :class:`ConfigError` with every problem found.

    The grammar of ``overrides`` is Hydra's. Nothing heavy is imported and nothing is started. Sweeps compose with
    ``whole=False``: settings are applied to the composed groups, which is the same and spares Hydra's 0.1 s.
    """
    asked = request.read(list(overrides))
    problems = [*asked.problems, *choices.problems(asked)]
    broken = {p.key.split(".")[0] for p in problems}  # a mistake in an option's file has a longer key
    groups = {g: f"{g}={s.value}" for g, s in asked.choices.items() if g not in broken and g != schema.EXPERIMENT}
    try:
        base = typed(tuple(groups.values()))
    except ConfigError:  # a mistake inside an option's file: find every such file, and go on without them
        for group, choice in list(groups.items()):
            try:
                typed((choice,))
            except ConfigError as error:
                problems += error.problems
                del groups[group]
        base = typed(tuple(groups.values()))
    absent = {group for group in schema.REQUIRED if group not in groups}
    if any(setting.key.startswith("study") for setting in asked.settings):
        base.study = OmegaConf.structured(Study)
    if any(setting.key.startswith("search") for setting in asked.settings):
        base.search = OmegaConf.structured(Search)
    problems += check.settings(base, [s for s in asked.settings if s.key.split(".")[0] not in absent])
    problems += check.values(base, absent)
    if not problems and whole:
        chosen = asked.chosen(schema.EXPERIMENT)
        laid = [s for s in asked.settings if not s.where and isinstance(s.value, dict) and not s.adds]
        later = {schema.EXPERIMENT} - {schema.EXPERIMENT if chosen else ""} | {setting.key for setting in laid}
        base = _hydra(tuple(word for word in overrides if word.split("=")[0].lstrip("+~") not in later))
        problems += check.settings(base, laid)  # Hydra takes no mapping where there is none yet
    problems += check.extras(base)
    trial = OmegaConf.to_object(base) if not problems else None
    problems += rules.across(trial or base, absent)
    if problems:
        places_of = {setting.key: setting.where for setting in [*_from_files(asked), *asked.settings]}
        raise ConfigError([replace(p, where=p.where or places_of.get(p.key, "")) for p in problems])
    assert isinstance(trial, Trial)
    trial.group = trial.group or asked.chosen(schema.EXPERIMENT)
    for text in interpolations.texts([setting.value for setting in asked.settings]):
        interpolations.announce(interpolations.variables(text))
    return trial


def part(group: str, overrides: Sequence[str]) -> Any:
    """One group's options by themselves, as overrides set them; raises :class:`ConfigError`."""
    asked = request.read(list(overrides))
    problems = [*asked.problems, *(p for p in choices.problems(asked) if p.key not in schema.REQUIRED)]
    if not problems:
        base = typed(tuple(f"{g}={s.value}" for g, s in asked.choices.items() if g == group))
        strangers = [s.key for s in asked.settings if not s.key.startswith(f"{group}.")]
        problems = [Problem(key, f"expected settings of {group} only") for key in strangers]
        problems += check.settings(base, [s for s in asked.settings if s.key not in strangers])
        problems += rules.across(base, set(schema.GROUPS) - {group})
    if problems:
        raise ConfigError(problems)
    return OmegaConf.to_object(base[group])


def _from_files(asked: request.Request) -> list[request.Setting]:
    """What the user's own group files set, so that a mistake there is found there."""
    found: list[request.Setting] = []
    for group in asked.choices:
        path = places.find(group, asked.chosen(group) or "") if group in schema.GROUPS else None
        if path is not None and path.is_relative_to(places.user_conf()):
            found += request.group_settings(group, path)
    return found


def vary(trial: Trial, values: Mapping[str, Any]) -> Trial:
    """A composed trial with some settings changed, checked like any other; raises :class:`ConfigError`."""
    config = OmegaConf.structured(trial)
    problems = check.settings(config, [request.Setting(key, value) for key, value in values.items()])
    problems += check.values(config, set())
    varied = OmegaConf.to_object(config) if not problems else None
    problems += rules.across(varied or config, set())
    if problems:
        raise ConfigError(problems)
    assert isinstance(varied, Trial)
    return varied


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """The trials of a multirun: Hydra's basic sweeper's product, in its order.

    Raises :class:`ConfigError` for what is no override, and for more trials than ``sweep.max_trials``, before any of
    them is written out.
    """
    schema.register()
    places.register()
    GlobalHydra.instance().clear()
    with initialize_config_module("tlx.conf", version_base="1.3", job_name="tlx"):
        loader = GlobalHydra.instance().config_loader()  # lists options for glob(...)
    problems: list[Problem] = []
    found = []
    for text in overrides:
        try:
            found.append(with_options(parsed(text), loader))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    count, most = trials(found), _most(found)
    if count > most:
        message = f"this is {count:,} trials; leave some values out, or allow as many: sweep.max_trials={count}"
        raise ConfigError([Problem("sweep.max_trials", message, most)])
    try:
        batches = BasicSweeper.split_arguments(found, max_batch_size=None)
    except HydraException as error:
        raise ConfigError([Problem("sweep", str(error))]) from None
    return [list(job) for batch in batches for job in batch]


def is_sweep(words: Sequence[str]) -> bool:
    """Does an override give several values to one key?"""
    try:
        return any(parsed(word).is_sweep_override() for word in words)
    except ConfigError:
        return False  # compose says what is wrong with it


def _most(found: Sequence[Override]) -> int:
    """How many trials a sweep may have: by the command line, or by the experiment it chooses."""
    plain = {one.key_or_group: one.value() for one in found if not one.is_sweep_override() and not one.is_delete()}
    path = places.find(schema.EXPERIMENT, str(plain.get(schema.EXPERIMENT)))
    settings = request.read_file(path)[1] if path is not None else []
    asked = {setting.key: setting.value for setting in settings} | plain
    most = asked.get("sweep.max_trials")
    return most if isinstance(most, int) and not isinstance(most, bool) else Sweeping.max_trials


def typed(groups: tuple[str, ...]) -> DictConfig:
    """The typed configuration of these group choices alone; required groups left out stay missing."""
    config: DictConfig = pickle.loads(_typed(tuple(sorted(groups)), _user_files()))  # a copy; of our own bytes
    return config


def _user_files() -> _Files:
    """The user's group files and when they changed: composed choices are kept only as long as these stay."""
    found = []
    for folder, _, names in os.walk(places.user_conf()):
        for path in (os.path.join(folder, name) for name in names if name.endswith(".yaml")):
            with suppress(OSError):  # a link to nothing
                found.append((path, os.stat(path).st_mtime_ns))
    return tuple(sorted(found))


@cache
def _typed(groups: tuple[str, ...], files: _Files) -> bytes:
    """Choices are composed one by one, and put together: Hydra's 0.2 s are spent per option, not per combination."""
    named = {text.split("=", 1)[0] for text in groups}
    if len(groups) > 1 and all(_keeps_to_itself(choice, files) for choice in groups):
        whole = pickle.loads(_typed((), files))
        for choice in groups:
            group = choice.split("=", 1)[0]
            whole[group] = pickle.loads(_typed((choice,), files))[group]
        return pickle.dumps(whole)  # is read in a third of the time a deep copy takes
    absent = [f"~{group}" for group in schema.REQUIRED if group not in named]
    return pickle.dumps(_hydra((*groups, *absent)))


@cache
def _keeps_to_itself(choice: str, files: _Files) -> bool:
    """Does choosing this option change nothing but its own group?"""
    group = choice.split("=", 1)[0]
    alone, without = (pickle.loads(_typed(groups, files)) for groups in ((choice,), ()))
    return all(alone._get_node(key) == without._get_node(key) for key in {*alone, *without} - {group})


def _hydra(overrides: tuple[str, ...]) -> DictConfig:
    schema.register()
    places.register()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("tlx.conf", version_base="1.3", job_name="tlx"):
            found = hydra_compose("trial", overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain.problems(error)) from None
    except RecursionError:
        choices = ", ".join(word for word in overrides if not word.startswith("~"))
        raise ConfigError([Problem("configuration", f"refers to itself, or is too deep: {choices}")]) from None
    if key := interpolations.growing(found):
        raise ConfigError([Problem(key, interpolations.ENDLESS)])
    return found
