"""How often each test split was looked at: a line for every time a model was scored on one, never taken back.

``test_ledger.jsonl`` lies in the folder of the runs, and outlives them. Whoever scores a test split many times and
reports the best has fitted it: a report shows how often, and by which commands, its own was scored.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, foreign
from tlx.files.checksum import with_checksum, without_checksum
from tlx.files.regular import reason
from tlx.files.secrets import redacted

FILE = "test_ledger.jsonl"
COMMAND = "TLX_COMMAND"  # the variable that hands a command down to the processes of its trials
_LONGEST = 1 << 28  # bytes that are read


@dataclass(frozen=True)
class Look:
    """One time a model was scored on a test split."""

    time: int  # milliseconds since 1970
    split: str  # which examples of which data: the data's fingerprint, and the split's size and hash
    kind: str  # train | reproduce | evaluate
    run: str  # the folder's name
    command: str


def split_of(fingerprint: str, hashed: str) -> str:
    """The name of a split: the fingerprint of its data, and its size and hash as :meth:`Data.hashes` has it."""
    return f"{fingerprint} {hashed}"


def require(output: Path) -> None:
    """See that the ledger can be added to, before anything is scored; raises :class:`ConfigError`."""
    try:
        durable.appending(output / FILE).close()
    except OSError as error:
        message = f"the ledger of test sets cannot be added to: {reason(error)}; move away what is there"
        raise ConfigError([ConfigIssue("output", message, output / FILE)]) from error


def add(output: Path, split: str, kind: str, run: str) -> None:
    """Write down that a model was scored now.

    Args:
        output: The folder of the runs.
        split: As :func:`split_of` names it.
        kind: ``train``, ``reproduce`` or ``evaluate``.
        run: The name of the folder that has the score.
    """
    look = Look(time.time_ns() // 1_000_000, split, kind, run, redacted(os.environ.get(COMMAND, "Python")))
    with durable.appending(output / FILE) as stream:
        stream.write((with_checksum(json.dumps(asdict(look))) + "\n").encode())
        stream.flush()
        os.fsync(stream.fileno())


def read(output: Path) -> tuple[list[Look], int]:
    """Every look there was, oldest first, and how many lines are not what was written: those tell of none."""
    try:
        lines = foreign.text(output / FILE, _LONGEST).splitlines()
    except FileNotFoundError:
        return [], 0
    except foreign.Unreadable:
        return [], 1
    rows = [row for line in lines if (row := without_checksum(line)) is not None]
    looks = [Look(**row) for row in rows if foreign.conforms(row, Look)]
    return looks, len(lines) - len(looks)


@dataclass(frozen=True)
class Summary:
    """The looks at some test splits."""

    looks: int
    runs: int  # different ones
    commands: tuple[tuple[str, int], ...]  # the most frequent first
    altered: int  # lines of the ledger that are not what was written, of whichever split they were


def summary(output: Path, splits: Collection[str]) -> Summary:
    """Count the looks at these splits."""
    looks, altered = read(output)
    found = [look for look in looks if look.split in splits]
    commands = Counter(look.command for look in found)
    return Summary(len(found), len({look.run for look in found}), tuple(commands.most_common()), altered)
