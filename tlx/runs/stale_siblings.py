"""Unfinished trials of the same name and settings that are not this one, because something else has changed since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from tlx.config.errors import ConfigError
from tlx.config.identity import identity_fields
from tlx.config.schema import Trial
from tlx.files import foreign
from tlx.runs import folder as folders
from tlx.runs import layout, plugin_record
from tlx.runs.describe import described
from tlx.runs.folder import RunFolder
from tlx.tracking import event_log

_FINGERPRINTS = {"tlx.data_sha": "data", "tlx.weights_sha": "weights"}


def find_stale_siblings(trial: Trial, place: RunFolder) -> Iterator[str]:
    """A line for each, with what differs. They are left as they are: nothing of them is gone on with."""
    mine = described(trial, place)["tags"]
    for other in sorted(place.path.parent.glob(f"{place.name}-*")):
        start = event_log.first(other) if other != place.path else {}
        theirs = start.get("tags", {})
        changed = [
            f"{what} {str(theirs[tag])[:12]} -> {str(mine.get(tag))[:12]}"
            for tag, what in _FINGERPRINTS.items()
            if tag in theirs and theirs[tag] != mine.get(tag)
        ]
        with suppress(foreign.Unreadable):  # nobody knows what it was begun with
            changed += [f"code {file}" for file in plugin_record.changed_files(other)]
        if not changed or (other / layout.RESULT).exists():
            continue
        try:
            alike = identity_fields(folders.read_config(other)) == identity_fields(trial)
        except ConfigError:
            continue
        if alike:
            yield f"{other.name} was begun with other {', '.join(changed)}; it is left as it is, and this begins anew"
