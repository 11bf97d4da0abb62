"""tlx plugins ls | check [PLUGIN] | trust [--revoke]: parts of your own, and of packages that bring some.

tlx plugins ls                what there is, where it is from, and what it brings
tlx plugins check             hold every part to its contract: it is built, trained, interrupted, compared
tlx plugins check mylab       the parts of one plugin
tlx plugins check mylab dataset=mine              in trials of these words, where those that tlx chooses do not fit
tlx plugins trust             load the plugins that the pyproject.toml of this project lists
tlx plugins trust --revoke    load them no more
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from tlx.cli.arguments import Arguments
from tlx.components import plugins, trust
from tlx.components.plugins import Plugin
from tlx.config.errors import ConfigError, ConfigIssue, RequestError, suggest
from tlx.reports.console import Terminal

ACTIONS = ("ls", "check", "trust")


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.flag("--revoke")
    asked = arguments.take(words)
    action, *rest = asked.words or ["ls"]
    if action not in ACTIONS:
        hint = suggest(action, ACTIONS) or f"; expected one of {', '.join(ACTIONS)}"
        raise ConfigError([ConfigIssue("plugins", f"no such action{hint}", action)])
    if rest and action != "check":
        raise ConfigError([ConfigIssue(f"plugins {action}", "takes no further word", " ".join(rest))])
    if asked.revoke and action != "trust":
        raise ConfigError([ConfigIssue("--revoke", "goes with tlx plugins trust")])
    console = Terminal()
    if action == "trust":
        return _trust(asked.revoke, console)
    return _list(console) if action == "ls" else _check(rest, console)


def _trust(revoke: bool, console: Terminal) -> int:
    mine = plugins.project()
    if mine is None:
        message = 'no project here lists plugins; write into its pyproject.toml: [tool.tlx], plugins = ["mylab.parts"]'
        raise ConfigError([ConfigIssue("plugins trust", message)])
    if revoke:
        was = trust.revoke(mine.folder)
        console.print(f"{mine.folder} is not trusted any more" if was else f"{mine.folder} was not trusted")
        return 0
    file = trust.grant(mine.folder, mine.modules)
    console.print(f"trusted, as {file} says: {mine.folder}, which may import {', '.join(mine.modules)}")
    console.print("its files are code that runs as you; another list of plugins has to be trusted again")
    return 0


def _list(console: Terminal) -> int:
    mine = plugins.project()
    if mine is not None and not trust.is_granted(mine.folder, mine.modules):
        console.print(f"{mine.folder / plugins.FILE} lists {', '.join(mine.modules)}: not trusted, so not loaded")
        console.print("look at it, then: tlx plugins trust")
        return 0
    found = plugins.load()
    if not found:
        console.print("no plugins: no installed package brings any, and no pyproject.toml here lists some")
        console.print('write into yours: [tool.tlx], plugins = ["mylab.parts"]; see docs/how-to/parts.md')
    told: set[str] = set()
    for one in found:
        console.print(f"{one.module}  ({one.origin})")
        for part in one.parts:  # of a package with several modules, with the first of them
            if (name := f"{part.group}={part.kind}") in told:
                continue
            told.add(name)
            console.print(f"  {part.group}={part.kind}  {(part.config.__doc__ or '').strip().splitlines()[0]}")
    return 0


def _check(names: list[str], console: Terminal) -> int:
    found = plugins.load()
    words = [name for name in names if "=" in name]
    names = [name for name in names if "=" not in name]
    known = {one.module: one for one in found} | {one.module.partition(".")[0]: one for one in found}
    if unknown := [name for name in names if name not in known]:
        hints = {name: suggest(name, known) or f"; there are {', '.join(known) or 'none'}" for name in unknown}
        raise ConfigError([ConfigIssue("plugins check", f"no such plugin{hint}", name) for name, hint in hints.items()])
    chosen: list[Plugin] = [known[name] for name in names] or found
    if not chosen:
        raise ConfigError([ConfigIssue("plugins check", "no plugins to check (tlx plugins ls)")])
    from tlx import testing

    checks: dict[str, Callable[..., None]] = {
        "backbone": testing.check_backbone,
        "callback": testing.check_callback,
        "dataset": testing.check_dataset,
        "task": testing.check_task,
    }
    failed = 0
    for part in {f"{part.group}={part.kind}": part for plugin in chosen for part in plugin.parts}.values():
        name = f"{part.group}={part.kind}"
        if part.group not in checks:
            console.print(f"  {name}  registered; there is no check of a {part.group} by itself")
            continue
        try:
            checks[part.group](part.kind, trial=[word for word in words if not word.startswith(f"{part.group}=")])
            console.print(f"  {name}  keeps its contract")
        except Exception as error:  # the code of others may raise anything, and the rest is to be checked as well
            failed += 1
            told = isinstance(error, (AssertionError, RequestError))
            said = str(error) if told else "".join(traceback.format_exception(error)[-2:])
            console.print(f"  {name}  does not: {said.strip() or type(error).__name__}")
    return 1 if failed else 0
