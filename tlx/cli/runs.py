"""tlx runs gc [--dry-run]: give MLflow runs that say RUNNING, although nothing runs, their true status."""

from __future__ import annotations

from tlx.config.errors import ConfigError, Problem


def run(words: list[str]) -> int:
    """The verb."""
    dry = "--dry-run" in words
    rest = [word for word in words if word != "--dry-run"]
    if rest != ["gc"]:
        raise ConfigError([Problem("runs", "expected: tlx runs gc [--dry-run]", " ".join(rest) or "nothing")])
    from tlx.tracking import dead, store
    from tlx.tracking.options import Tracking

    uri = store.uri(Tracking())
    found = dead.close(store.client(uri), uri, really=not dry)
    for name, status in found:
        print(f"{name}: {'would be ' if dry else ''}{status}")
    print(f"{len(found)} runs {'would be' if dry else 'were'} closed in {store.without_password(uri)}")
    return 0
