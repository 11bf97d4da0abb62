"""A connection to a database that others made: it can be read and nothing else, and what it computes has an end.

A view is a program of the file's. It may read the file's own tables and call functions whose time grows with their
input and no faster; steps and seconds are counted, because one that recurs, or joins a table to itself often enough,
never ends.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from tlx.data.sources.sheet import Refused, Sheet, shortened
from tlx.files import regular

_KEY = "dataset.table"
_MAGIC = b"SQLite format 3\0"
_VERSION = slice(18, 20)  # of the header: how the file is written and read, and 2 is through a log
_LOG = b"\x02"
_JOURNALS = ("-wal", "-journal")
_ZEROED = 28  # bytes at the beginning of a journal, which are zero when its transaction is over
_WAIT = 5.0  # seconds for whoever writes
_LONGEST = 1 << 20, 1 << 30  # bytes of a row: at least, so that the file's description can be read, and at most
_LIMITS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 20,  # bytes of a statement
    sqlite3.SQLITE_LIMIT_VDBE_OP: 250_000,  # its instructions
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,  # bytes
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}
_OFTEN = 200  # instructions between two looks at the clock: one that handles long texts takes milliseconds
_STEPS = 1_000_000_000  # instructions, some 10 s
_STEPS_ROW, _STEPS_CELL = 1000, 20  # more for each row, and each of its cells
_SECONDS = 300.0  # of a view
_PRAGMAS = ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "query_only=ON")
_VALUES = (
    "abs ceil ceiling char coalesce exp floor format glob hex ifnull iif json_extract -> ->> length like ln log log10 "
    "log2 lower mod nullif pow power printf quote round sign sqrt substr substring typeof unicode upper"
)
_DATES = "date datetime julianday strftime time unixepoch"
_SUMMARIES = (
    "avg count cume_dist dense_rank first_value group_concat lag last_value lead max min nth_value ntile percent_rank "
    "rank row_number sum total"
)
_FUNCTIONS = frozenset(f"{_VALUES} {_DATES} {_SUMMARIES}".split())


@contextmanager
def opened(sheet: Sheet) -> Iterator[Guard]:
    """Open a database to read, without writing anything beside it.

    Raises:
        OSError: It cannot be opened, or is no regular file.
        Refused: It is no database, it lacks what is still in a journal beside it, or what was done to it while it was
            open took too long or was not allowed.
    """
    with regular.opened(sheet.file) as stream:
        head = stream.read(100)
    if not head:
        raise Refused("is empty: a database without a table")
    if not head.startswith(_MAGIC):
        raise Refused("not readable as SQLite: it does not begin as a database does")
    path = os.path.realpath(sheet.file)
    log, journal = (f"{path}{suffix}" for suffix in _JOURNALS)
    unlocked = _settled(log) or _LOG in head[_VERSION]  # to lock such a file SQLite would write beside it
    _settled(journal)
    address = f"file://{quote(os.fsencode(path))}?mode=ro{'&immutable=1' if unlocked else ''}"
    with closing(sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None)) as connection:
        least, most = _LONGEST
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(most, max(least, sheet.limits.row_bytes)))
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        guard = Guard(connection)
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            yield guard
        except sqlite3.DatabaseError as error:
            if not (guard.stopped or guard.denied):
                raise
            what = shortened(guard.denied) + ", which it may not"
            if guard.stopped:
                what = f"takes too many steps, and was stopped after {guard.rows:,} rows"
            message = f"{sheet.file}: this table or view {what}; store its rows as a table, and name that"
            raise Refused(message, _KEY, guard.table) from error


def _settled(path: str) -> bool:
    """See that a journal beside a database holds nothing of it; is there one? Raises :class:`Refused`."""
    name = os.path.basename(path)
    try:
        if not _holds_changes(path):
            return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Refused(f"has {name} beside it, which cannot be read: {regular.reason(error)}") from error
    message = f"has changes in {name} that are not in the file: another program writes it, or was stopped"
    raise Refused(f"{message}; close that program, or open the file in SQLite and run PRAGMA journal_mode=DELETE")


def journals(file: Path) -> dict[str, Path]:
    """The journals beside a database that hold changes to it, or cannot be read, by the end of their names."""
    found = {}
    for suffix in _JOURNALS:
        path = f"{os.path.realpath(file)}{suffix}"
        try:
            if _holds_changes(path):
                found[suffix] = Path(path)
        except FileNotFoundError:
            continue
        except OSError:  # whoever reads the database is told
            found[suffix] = Path(path)
    return found


def _holds_changes(path: str) -> bool:
    """Does a journal hold something? Raises :class:`OSError` where it is none, or cannot be read."""
    if regular.look(path).st_size == 0:
        return False
    with regular.opened(path) as stream:
        return any(stream.read(_ZEROED))


class Guard:
    """Watches the statements of a connection; an error in one of them is explained by ``stopped`` or ``denied``.

    Attributes:
        connection: Of the database.
        table: What is read of it.
        rows: How many were read.
        stopped: Was it stopped because it took too long?
        denied: What it does that it may not; empty for nothing.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.table: str | None = None
        self.rows = 0
        self.stopped = False
        self.denied = ""
        self._left = _STEPS
        self._more = 0
        self._end = float("inf")
        connection.set_progress_handler(self._step, _OFTEN)

    def confine(self, table: str, cells: int, readable: set[str], computed: set[tuple[str, str]] | None) -> None:
        """Allow from now on nothing but to read.

        Args:
            table: The table or view that will be read.
            cells: In each of its rows.
            readable: Tables and views of the file.
            computed: For a view, the columns, with their tables, whose values are not in the file.
        """
        self.table = table
        self._more = _STEPS_ROW + _STEPS_CELL * cells
        self._end = float("inf") if computed is None else time.monotonic() + _SECONDS
        self._readable, self._computed = readable, computed or set()
        self.connection.set_authorizer(self._allow)

    def row(self) -> None:
        """Count a row, and grant the steps of another."""
        self.rows += 1
        self._left += self._more

    def _step(self) -> bool:
        self._left -= _OFTEN
        self.stopped = self.stopped or self._left < 0 or time.monotonic() > self._end
        return self.stopped

    def _allow(self, action: int, first: str | None, second: str | None, schema: str | None, view: str | None) -> int:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            if str(second).lower() in _FUNCTIONS:
                return sqlite3.SQLITE_OK
            self.denied = self.denied or f"calls {second}()"
        elif action == sqlite3.SQLITE_READ:
            if not second:  # no column of it, as in count(*): it may be no table but a name that the view gave
                return sqlite3.SQLITE_OK
            if first in self._readable and (first, second) not in self._computed:
                return sqlite3.SQLITE_OK
            self.denied = self.denied or f"reads {first}.{second}"
        else:
            self.denied = self.denied or "does more than to read"
        return sqlite3.SQLITE_DENY
