"""tlx reuse ls | prune: what is kept of frozen prefixes, and making room.

tlx reuse ls                                  (what there is, how large, when it was last read)
tlx reuse prune                               (evict the least recently read until reuse.disk is kept)
tlx reuse prune --to "2 GB"                   (... until no more than this is left; 0 MB: everything nobody reads now)
tlx reuse ls reuse.folder=/scratch/reuse      (another store)
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tlx.cli.arguments import Arguments
from tlx.composition.compose import compose_group
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.reuse import size
from tlx.reports.console import Terminal

if TYPE_CHECKING:
    from tlx.feature_cache.store import Store

_ACTIONS = ("ls", "prune")


def run(words: list[str]) -> int:
    """The verb."""
    from tlx.feature_cache.prefix_cache import store

    arguments = Arguments()
    arguments.value("--to", "a size, such as '20 GB'")
    asked = arguments.take(words)
    action, rest = (asked.words[0], asked.words[1:]) if asked.words else ("ls", [])
    if action not in _ACTIONS:
        raise ConfigError([ConfigIssue("reuse", f"expected ls or prune{suggest(action, _ACTIONS)}", action)])
    limit = _limit(asked.to)
    found = store(compose_group("reuse", rest))
    console = Terminal(soft_wrap=False)
    if action == "prune":
        freed = found.prune(found.budget if limit is None else limit)
        console.print(f"freed {_size(freed)}")
    _show(found, console)
    return 0


def _show(found: Store, console: Console) -> None:
    entries = found.entries()
    table = Table(box=None, pad_edge=False)
    for title in ("backbone", "after", "data", "split", "examples", "size", "last read"):
        table.add_column(title, justify="right" if title in ("examples", "size", "last read") else "left", no_wrap=True)
    for one in reversed(entries):
        facts = one.meta.facts
        used = "now" if one.busy else _age(time.time() - one.used)
        named = {name: str(facts.get(name, "?")) for name in ("backbone", "site", "dataset", "split")}
        named["site"] = named["site"].removeprefix("backbone.")
        shown = (*named.values(), f"{one.meta.rows:,}")
        table.add_row(*map(str, shown), _size(one.meta.bytes), used)
    if entries:
        console.print(table)
    total = sum(one.meta.bytes for one in entries)
    console.print(f"{len(entries)} entries, {_size(total)} of {_size(found.budget)}, in {found.root}", soft_wrap=True)


def _limit(text: str | None) -> int | None:
    """The bytes that ``--to`` asks for; None without it."""
    try:
        return size(text) if text is not None else None
    except ValueError as error:
        raise ConfigError([ConfigIssue("--to", str(error), text)]) from None


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"
