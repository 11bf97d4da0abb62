"""Checks of the options that a request chooses: are they there, and can their files be read?"""

from __future__ import annotations

from pathlib import Path

from tlx.composition import defaults, elsewhere, files, request, search_path, values
from tlx.composition.request import NOTHING, SELECTABLE, Request, Setting
from tlx.composition.timm_names import timm_architectures
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.schema import EXPERIMENT, REQUIRED
from tlx.files import foreign

_FEW = 8  # options that a message lists


def problems(asked: Request) -> list[ConfigIssue]:
    """Is every chosen option there, and is every required group chosen?"""
    found = []
    for group, setting in asked.choices.items():
        if group not in SELECTABLE:
            found.append(ConfigIssue(group, f"not a group{suggest(group, SELECTABLE)}", setting.value, setting.where))
        elif setting.deletes:
            found.append(ConfigIssue(group, "a group cannot be taken away; choose another option", None, setting.where))
        else:
            found.extend(_option(group, setting))
    undecided = any(problem.key == EXPERIMENT for problem in found)  # it may have been the one to choose them
    for group in REQUIRED:
        if group not in asked.choices and not undecided:
            found.append(ConfigIssue(group, f"nothing chosen; write {group}=<name> (tlx list {group})"))
    return found


def _option(group: str, setting: Setting) -> list[ConfigIssue]:
    known = search_path.options(group)
    option = setting.value
    if option in NOTHING:
        if group == EXPERIMENT:  # none is a choice there
            return []
        return [ConfigIssue(group, f"nothing chosen; write {group}=<name> (tlx list {group})", None, setting.where)]
    if str(option) in known:
        path = search_path.find(group, str(option))
        return _file(group, path, setting) if path is not None and group != EXPERIMENT else []
    if search_path.is_named(group, str(option)):
        return []
    close = suggest(str(option), known)
    if words := elsewhere.CHOICES.get(group, {}).get(str(option)):
        close = f"; write {words}"
    if group == "backbone" and not close:
        close = suggest(str(option), timm_architectures())
    if not close and len(known) <= _FEW:
        close = f"; expected {' or '.join(known)}"
    return [ConfigIssue(group, f"not an option{close} (tlx list {group})", option, setting.where)]


def _file(group: str, path: Path, setting: Setting) -> list[ConfigIssue]:
    """Can the file behind an option be read, and what it starts from?"""
    try:
        files.document(path)
        found = request.group_settings(group, path)
        faults = [
            ConfigIssue(key, fault, where=one.where)
            for one in found
            for key, fault in values.faults(one.value, one.key)
        ]
        if not faults:
            defaults.follow(path, group, search_path.find)
        return faults
    except FileNotFoundError:
        return [ConfigIssue(group, f"{files.shown(path)} is a link to nothing", setting.value, setting.where)]
    except foreign.Unreadable as error:
        return [ConfigIssue(group, f"{files.shown(path)} {error}", setting.value, setting.where)]
    except ConfigError as error:
        return [ConfigIssue(group, f"{one.key}: {one.message}", setting.value, one.where) for one in error.problems]
