"""tlx runs rm RUN... | gc: remove runs that are not needed any more, or close those that nobody runs.

tlx runs rm runs/resnet18-fine_tune-digits-s0-0123456789ab   a run: its folder, an MLflow id
tlx runs rm rates                  every trial of a sweep but those that other sweeps have too
tlx runs rm rates --dry-run        only say which
tlx runs rm rates --yes            without being asked
tlx runs gc [--dry-run] [tracking.uri=...]   give MLflow runs that say RUNNING, although nothing runs, their true status

A run's folder is removed with all that tlx wrote there, and its run in your own MLflow store is deleted (mlflow gc
makes that final, mlflow runs restore takes it back). The trial's command makes it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tlx.cli.arguments import Arguments
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.tracking import address

_ACTIONS = ("rm", "gc")
_SHOWN = 10  # folders that are named


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.flag("--dry-run")
    arguments.flag("--yes")
    asked = arguments.take(words)
    rest, uri = address.named(asked.words)
    action, named = (rest[0], rest[1:]) if rest else ("", [])
    if action == "gc" and not named:
        return _close(uri, dry=asked.dry_run)
    if action == "rm" and named:
        return _remove(named, uri, dry=asked.dry_run, agreed=asked.yes)
    hint = suggest(action, _ACTIONS)
    message = f"expected: tlx runs rm RUN... [--dry-run] [--yes], or tlx runs gc [--dry-run]{hint}"
    raise ConfigError([ConfigIssue("runs", message, printable(redacted(" ".join(rest))) or "nothing")])


def _close(uri: str | None, *, dry: bool) -> int:
    from tlx.config.tracking import Tracking
    from tlx.runs import stale_runs
    from tlx.tracking import store

    chosen = store.uri(Tracking(uri=uri))
    found = stale_runs.close(store.reached(chosen), chosen, really=not dry)
    for name, status in found:
        print(f"{printable(name)}: {'would be ' if dry else ''}{status}")
    print(f"{len(found)} runs {'would be' if dry else 'were'} closed in {printable(redacted(chosen))}")
    return 0


def _remove(named: list[str], uri: str | None, *, dry: bool, agreed: bool) -> int:
    from tlx.orchestration import find
    from tlx.runs import removal
    from tlx.tracking.deletion import delete

    folders: list[Path] = []
    for word in named:
        chosen, shared = find.run_folders(word)
        folders += [one for one in chosen if one not in folders]
        for one, sweep in shared.items():
            print(f"{printable(one.name)} stays: it is a trial of {printable(sweep)} as well")
    refused = {one: reason for one in folders if (reason := removal.obstacle(one))}
    for one, reason in refused.items():
        print(f"{printable(one)} stays: it {printable(reason)}", file=sys.stderr)
    folders = [one for one in folders if one not in refused]
    for one in folders[:_SHOWN]:
        print(f"{'would remove' if dry or not agreed else 'removing'} {printable(one)}")
    if len(folders) > _SHOWN:
        print(f"... and {len(folders) - _SHOWN} more")
    if dry or not folders:
        return 1 if refused else 0
    if not agreed and not _asked(len(folders)):
        return 2
    for one in folders:
        told = delete(one, uri)
        removal.remove(one)
        if told:
            print(f"{printable(one.name)}: {printable(told)}")
    for root in {one.parent for one in folders}:
        removal.finish_interrupted(root)
    print(f"removed {len(folders)} folder{'s' * (len(folders) != 1)}")
    return 1 if refused else 0


def _asked(count: int) -> bool:
    """Does the person at the terminal want it?"""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("nothing is removed; if that is what you want, add --yes")
        return False
    try:
        answer = input(f"remove {'it' if count == 1 else f'these {count}'}? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
