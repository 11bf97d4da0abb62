"""Rows of a table or view of an SQLite database, one at a time."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from tlx.config.errors import suggest
from tlx.data.sources.budget import VALUE, Budget
from tlx.data.sources.sheet import Refused, RowIterator, Sheet, shortened, some
from tlx.data.sources.sqlite_guard import Guard, opened

_KEY = "dataset.table"
_TABLE, _VIEW = "CREATE TABLE ", "CREATE VIEW "  # how SQLite begins what it stores of each
_VIEWS = 50_000  # characters of all views: of very many within each other SQLite ends the process
_COMPUTED, _HIDDEN = 2, (1, 2)  # kinds of columns: their values are not in the file
_ROW_NAMES = ("rowid", "_rowid_", "oid")
_PLAIN = frozenset((str, int, float, type(None)))


class _Broken(NamedTuple):
    """Stands for a text that cannot be read."""

    why: str


class _Tables(NamedTuple):
    """The names of what a database holds: tables, views with their SQL, and tables that are programs."""

    tables: list[str]
    views: dict[str, str]
    virtual: list[str]


def read(sheet: Sheet) -> RowIterator:
    """The wanted columns of every row; whatever keeps them from being read is one problem in ``sheet``.

    Raises:
        OSError: The file cannot be opened or read.
        Refused: A table or column cannot be read, or the file holds too much.
    """
    try:
        with opened(sheet) as guard:
            yield from _rows(sheet, guard)
    except MemoryError:  # SQLite's own is one
        sheet.fatal("not readable as SQLite: it takes more memory than there is")
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_TOOBIG":
            most = sheet.limits.row_bytes
            message = f"{sheet.file} has a row of more than {most:,} bytes; raise the limit to read it"
            sheet.fatal(message, "dataset.limits.row_bytes", most)
            return
        first = ((str(error) or type(error).__name__).splitlines() or [""])[0]
        sheet.fatal(f"not readable as SQLite: {shortened(first, 200)}")


def _rows(sheet: Sheet, guard: Guard) -> RowIterator:
    connection = guard.connection
    connection.text_factory = _name
    found = _tables(connection)
    table = guard.table = _chosen(sheet, found)
    computed = None
    if table in found.views:
        computed = _computed(sheet, connection, found, table)
    kinds = connection.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,)).fetchall()
    _see(sheet, kinds)
    names = sheet.names
    if not all(name in sheet.columns for name in names):
        return  # whoever asked for them says so
    query = _query(connection, table, computed is not None, names, {str(name).lower() for name, _ in kinds})
    texts = _Texts(sheet.limits.cell_characters)
    connection.text_factory = texts.read
    guard.confine(table, len(names), {*found.tables, *found.views}, computed)
    budget = Budget(sheet, len(names))
    for cells in connection.execute(query):
        guard.row()
        size = texts.taken()
        budget.spend(VALUE * len(names) + size)
        if not _PLAIN.issuperset(map(type, cells)):
            sheet.bad(guard.rows, _fault(cells))
        elif size > sheet.limits.row_bytes:
            most = sheet.limits.row_bytes
            sheet.bad(guard.rows, f"has more than {most:,} bytes; raise dataset.limits.row_bytes to read it")
        else:
            yield guard.rows, cells


def _tables(connection: sqlite3.Connection) -> _Tables:
    """What a database holds; of what kind each is follows from its SQL, which is what SQLite goes by."""
    found = _Tables([], {}, [])
    for name, sql in connection.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view')"):
        if not isinstance(name, str) or not _is_text(name) or name.lower().startswith("sqlite_"):
            continue
        if str(sql).startswith(_TABLE):
            found.tables.append(name)
        elif str(sql).startswith(_VIEW):
            found.views[name] = sql
        else:
            found.virtual.append(name)
    return found


def _computed(sheet: Sheet, connection: sqlite3.Connection, found: _Tables, view: str) -> set[tuple[str, str]]:
    """The columns that a view may not read, with their tables; raises :class:`Refused` for views within very many."""
    if sum(map(len, found.views.values())) > _VIEWS:
        advice = "store its rows as a table, and name that"
        raise Refused(f"{sheet.file} has views of more than {_VIEWS:,} characters; {advice}", _KEY, view)
    columns: set[tuple[str, str]] = set()
    for table in found.tables:
        query = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = ?"
        columns.update((table, name) for (name,) in connection.execute(query, (table, _COMPUTED)))
    return columns


def _chosen(sheet: Sheet, found: _Tables) -> str:
    """The table or view that is read; raises :class:`Refused`."""
    known = [*found.tables, *found.views]
    if sheet.table is None:
        candidates = found.tables or list(found.views)
        if not candidates:
            raise Refused("holds no table")
        if len(candidates) > 1:
            raise Refused(f"{sheet.file} has {len(candidates):,} tables; name one of {some(known)}", _KEY)
        return candidates[0]
    if sheet.table in known:
        return sheet.table
    if sheet.table in found.virtual:
        advice = "store its rows as an ordinary table, and name that"
        raise Refused(f"{sheet.file} has a virtual table of this name, which is a program; {advice}", _KEY, sheet.table)
    hint = suggest(sheet.table, known[:1000]) or f"; it has {some(known) or 'none'}"
    raise Refused(f"{sheet.file} has no such table{hint}", _KEY, sheet.table)


def _see(sheet: Sheet, kinds: list[tuple[str, int]]) -> None:
    """See the columns that are there; raises :class:`Refused`."""
    computed = {name for name, hidden in kinds if hidden in _HIDDEN}
    if sheet.wanted is not None:
        sheet.see(name for name, _ in kinds if _is_text(name))
        for name in sheet.wanted:
            if name in computed:
                message = f"{sheet.file} computes this column (GENERATED ALWAYS AS); store it, or name another column"
                raise Refused(message, sheet.option(name), name)
        return
    for name, _ in kinds:
        if name in computed:
            sheet.left_out.append(f"{name} (computed)")
        elif not _is_text(name):
            sheet.left_out.append(f"{name.encode(errors='surrogateescape')!r} (a name that is not UTF-8)")
        else:
            sheet.see([name])
    if not sheet.columns:
        raise Refused("has no column that can be read")


def _query(connection: sqlite3.Connection, table: str, view: bool, names: list[str], columns: set[str]) -> str:
    """The statement that reads; every name is quoted, and so that none can become a text."""
    cells = ", ".join(f"r.{_quoted(name)}" for name in names)
    if view:
        return f"SELECT {cells} FROM {_quoted(table)} AS r"
    place = f"FROM {_quoted(table)} AS r NOT INDEXED"
    for number in _ROW_NAMES:
        if number not in columns:
            try:
                connection.execute(f"SELECT r.{number} {place} LIMIT 0")
            except sqlite3.OperationalError:  # a table WITHOUT ROWID: its key is its order
                break
            return f"SELECT {cells} {place} ORDER BY r.{number}"
    return f"SELECT {cells} {place}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _name(raw: bytes) -> str:
    """A name of the file's, whatever its bytes."""
    return raw.decode(errors="surrogateescape")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in name


def _fault(cells: tuple[Any, ...]) -> str:
    """Why one of the cells is none."""
    broken = next((cell for cell in cells if isinstance(cell, _Broken)), None)
    return broken.why if broken else "holds bytes, expected text or a number"


class _Texts:
    """Makes the texts of a row, and counts their bytes."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.size = 0
        self.long = _Broken(
            f"has a cell of more than {longest:,} characters; raise dataset.limits.cell_characters to read it"
        )

    def read(self, raw: bytes) -> str | _Broken:
        """A text, or why it is none."""
        self.size += len(raw)
        if len(raw) > 4 * self.longest:  # a character has at most four bytes
            return self.long
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return _Broken("holds a text that is not UTF-8")
        return text if len(text) <= self.longest else self.long

    def taken(self) -> int:
        """Bytes of the texts since the last time."""
        size, self.size = self.size, 0
        return size
