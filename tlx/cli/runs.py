"""tlx runs gc [--dry-run] [tracking.uri=...]: give MLflow runs that say RUNNING, although nothing runs, their true
status.
"""

from __future__ import annotations

from tlx.cli.arguments import Arguments
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files.printable import printable
from tlx.files.secrets import redacted


def run(words: list[str]) -> int:
    """The verb."""
    from tlx.config.tracking import Tracking
    from tlx.runs import stale_runs
    from tlx.tracking import address, store

    arguments = Arguments()
    arguments.flag("--dry-run")
    asked = arguments.take(words)
    rest, chosen = address.named(asked.words)
    dry = asked.dry_run
    if rest != ["gc"]:
        message = "expected: tlx runs gc [--dry-run] [tracking.uri=...]"
        raise ConfigError([ConfigIssue("runs", message, printable(redacted(" ".join(rest))) or "nothing")])
    uri = store.uri(Tracking(uri=chosen))
    found = stale_runs.close(store.reached(uri), uri, really=not dry)
    for name, status in found:
        print(f"{printable(name)}: {'would be ' if dry else ''}{status}")
    print(f"{len(found)} runs {'would be' if dry else 'were'} closed in {printable(redacted(uri))}")
    return 0
