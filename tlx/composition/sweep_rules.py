"""What is said about a sweep applies to the kind of sweep that it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf

from tlx.config.errors import ConfigIssue, suggest
from tlx.config.schema import EXPERIMENT, GROUPS

_SETTABLE = (*GROUPS, EXPERIMENT)


def exclusions_name_settings(config: Any) -> Iterator[ConfigIssue]:
    """Combinations are left out by keys that trials have; of a study, by its axes; of a search, not at all."""
    if config.search is not None and config.sweep.exclude:
        yield ConfigIssue("sweep.exclude", "a search proposes its trials itself; narrow search.space", None)
        return
    for index, rule in enumerate(config.sweep.exclude):
        if not rule:
            yield ConfigIssue(f"sweep.exclude.{index}", "names no setting, so it would leave out every trial", None)
        for key in rule:
            if config.study is not None and key not in config.study.axes:
                axes = ", ".join(map(str, config.study.axes)) or "none"
                hint = f"a study leaves out combinations of its axes ({axes}); an arm is left out by not naming it"
                yield ConfigIssue(f"sweep.exclude.{index}.{key}", hint, rule[key])
            elif config.study is not None and rule[key] not in list(config.study.axes[key]):
                there = ", ".join(map(str, config.study.axes[key]))
                yield ConfigIssue(f"sweep.exclude.{index}.{key}", f"no value of its axis, which has {there}", rule[key])
            elif config.study is None and str(key) not in _SETTABLE and not _is_there(config, str(key)):
                hint = suggest(str(key), [*_SETTABLE, *_settings(config)])
                yield ConfigIssue(f"sweep.exclude.{index}.{key}", f"no setting of a trial{hint}", rule[key])


def searches_have_their_own_name(config: Any) -> Iterator[ConfigIssue]:
    """A search is called by its experiment and what it searches, so that another space is another search."""
    if config.search is not None and config.sweep.name is not None:
        message = "a search is called by its experiment; rename the experiment's file, or leave it out"
        yield ConfigIssue("sweep.name", message, config.sweep.name)


def _is_there(config: Any, key: str) -> bool:
    """Is there such a setting? The keys of a mapping are free."""
    node = config
    for name in key.split("."):
        if OmegaConf.is_list(node) or isinstance(node, (list, tuple)):
            if not (name.isdigit() and int(name) < len(node)):
                return False
            node = node[int(name)]
        elif OmegaConf.is_dict(node):
            if name not in node:
                return OmegaConf.get_type(node) is dict
            node = node[name]
        elif isinstance(node, Mapping):
            return True
        elif hasattr(node, name):
            node = getattr(node, name)
        else:
            return False
    return True


def _settings(config: Any) -> list[str]:
    parts = {group: getattr(config, group) for group in GROUPS}
    names = {group: list(part) if OmegaConf.is_dict(part) else list(vars(part)) for group, part in parts.items()}
    return [f"{group}.{name}" for group, found in names.items() for name in found]
