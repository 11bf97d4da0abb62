"""Everything that is wrong with a request that Hydra cannot compose, with the files and lines where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from omegaconf import DictConfig, OmegaConf

from tlx._compat.config_nodes import is_none, node_at
from tlx.composition import check, choices, request, rules, schema_checks, search_path
from tlx.composition.request import Request, Setting
from tlx.composition.tree import tree
from tlx.config import schema
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.search import Search
from tlx.config.study import Study

PARTS = (("study", Study), ("search", Search))  # optional parts of an experiment


def diagnose(asked: Request) -> list[ConfigIssue]:
    """Look at choices and settings one by one, leaving out what is wrong, so that all of it is told at once."""
    whole = request.with_files(asked)
    hydra, whole.settings = whole.of_hydra, [one for one in whole.settings if one.key.split(".")[0] != "hydra"]
    problems = [*whole.problems, *hydra, *choices.problems(whole)]
    broken = {p.key.split(".")[0] for p in problems}  # a mistake in an option's file has a longer key
    groups = {g: f"{g}={s.value}" for g, s in whole.choices.items() if g not in broken and g != schema.EXPERIMENT}
    base = _sound(groups, problems)
    absent = {group for group in schema.REQUIRED if group not in groups}
    begin_parts(base, whole.settings)
    problems += check.settings(base, [one for one in whole.settings if one.key.split(".")[0] not in absent])
    if unresolved := schema_checks.references(base):  # nothing else can be asked of it then
        return located([*problems, *unresolved], whole)
    problems += schema_checks.values(base, absent)
    problems += schema_checks.extras(base)
    problems += rules.across(base if problems else OmegaConf.to_object(base), absent)
    return located(problems, whole)


def located(problems: Sequence[ConfigIssue], whole: Request) -> list[ConfigIssue]:
    """The problems, each with the file and line that sets its key, where one does."""
    lines = {setting.key: setting.where for setting in [*_of_groups(whole), *whole.settings]}
    return [replace(one, where=one.where or lines.get(one.key, "")) for one in problems]


def begin_parts(base: DictConfig, settings: Sequence[Setting]) -> None:
    """Give the optional parts that settings name their defaults, for the settings to be laid over."""
    for part, kind in PARTS:
        if is_none(node_at(base, part)) and any(one.key.startswith(f"{part}.") for one in settings):
            base[part] = OmegaConf.structured(kind)


def _sound(groups: dict[str, str], problems: list[ConfigIssue]) -> DictConfig:
    """Compose those choices whose files are right; the others are told, and taken out."""
    try:
        return _choices(groups)
    except ConfigError:
        for group in list(groups):
            try:
                _choices({group: groups[group]})
            except ConfigError as error:
                problems += error.problems
                del groups[group]
        return _choices(groups)


def _choices(groups: dict[str, str]) -> DictConfig:
    """Compose some choices; required groups without one stay missing."""
    absent = [f"~{group}" for group in schema.REQUIRED if group not in groups]
    return tree((*groups.values(), *absent))


def _of_groups(whole: Request) -> list[Setting]:
    """What the user's own group files set, so that a mistake there is found there."""
    found: list[Setting] = []
    for group in whole.choices:
        path = search_path.find(group, whole.chosen(group) or "") if group in schema.GROUPS else None
        if path is not None and not path.is_relative_to(search_path.shipped_conf()):
            found += request.group_settings(group, path)
    return found
