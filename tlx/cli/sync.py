"""tlx sync [FOLDER | RUN | SWEEP] [tracking.uri=...] [--yes]: send to MLflow what could not be sent during training.

tlx sync                               the run folders in ./runs, to your store
tlx sync runs tracking.uri=http://...  your store is this one
tlx sync runs --yes                    also to the stores that the event logs name
tlx sync rates                         a sweep and its trials, by name; a run by its folder

Again is harmless. Your store is the one of tracking.uri, MLFLOW_TRACKING_URI or this directory. Folders that were
recorded for another are listed, and sent there once you agree: a folder that you were given can name any address.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tlx.cli.arguments import Arguments
from tlx.composition.name_rules import is_there, path_fault
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.tracking import Tracking
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.orchestration import find
from tlx.tracking import address, event_log, sync

_NAMED = 3  # folders of a store that are named


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.flag("--yes", "--to-recorded")
    asked = arguments.take(words)
    words, uri = address.named(asked.words)
    agreed = asked.yes
    if len(words) > 1:
        message = "expected: tlx sync [FOLDER | RUN | SWEEP] [tracking.uri=...] [--yes]"
        raise ConfigError([ConfigIssue("sync", message, printable(redacted(" ".join(words))))])
    if words and not is_there(words[0]) and (fault := path_fault(words[0])):
        raise ConfigError([ConfigIssue("sync", fault, printable(words[0]))])
    root = Path(words[0] if words else "runs")
    folders = sorted(path.parent for path in root.glob(f"**/{event_log.FILE}"))
    if not folders and words and not root.exists():
        chosen, shared = find.run_folders(words[0])
        folders = [*chosen, *shared]
    if not folders:
        raise ConfigError([ConfigIssue("folder", "holds no run folders", printable(root))])
    tracking = Tracking(uri=uri)
    found = sync.send(folders, tracking, agreed)
    _tell(found)
    if found.elsewhere and _asked(found):
        later = sync.send([one for all_ in found.elsewhere.values() for one in all_], tracking, agreed=True)
        _tell(later)
        found.failed += later.failed
    elif found.elsewhere:
        command = ["tlx", "sync", str(root), *([f"tracking.uri={uri}"] if uri else []), "--yes"]
        print(f"they are not sent; if you trust these addresses: {printable(redacted(shlex.join(command)))}")
        return 2
    return 1 if found.failed else 0


def _tell(found: sync.Sent) -> None:
    """What was sent, what not, and why."""
    for uri, folders in found.done.items():
        print(f"{len(folders)} run folders are in {printable(redacted(uri))}")
    if found.off:
        print(f"{len(found.off)} run folders are in no store: tracking was off")
    for folder, reason in found.failed:
        print(f"{printable(folder)}: not sent: {printable(reason)}")
    for uri, folders in found.elsewhere.items():
        names = [printable(one) for one in folders[:_NAMED]] + ["..."] * (len(folders) > _NAMED)
        print(f"{len(folders)} run folders were recorded for {printable(redacted(uri))}: {', '.join(names)}")


def _asked(found: sync.Sent) -> bool:
    """Does the person at the terminal agree to send to the stores that the event logs name?"""
    if not _at_terminal():
        return False
    try:
        answer = input(f"send them to {'it' if len(found.elsewhere) == 1 else 'these stores'}? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
