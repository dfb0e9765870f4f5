"""How the journal's tables came to be: lists of SQL, applied once and recorded.

sqlite-utils applies them on the daemon's own connection, each in one transaction with its record, and is imported only
when one is pending. A connection of another library (tests on a failing disk) runs the same statements itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlite_utils import Database

SET = "journal"

MIGRATIONS: dict[str, tuple[str, ...]] = {
    "tables": (
        # Whose log this is; written once.
        """
        CREATE TABLE log (
          one INTEGER PRIMARY KEY CHECK (one = 1), site TEXT NOT NULL, epoch INTEGER NOT NULL, log_key BLOB NOT NULL
        ) STRICT
        """,
        # The log: seq counts from 0 without gaps; bytes are exactly those that were hashed and are sent.
        "CREATE TABLE records (seq INTEGER PRIMARY KEY CHECK (seq >= 0), bytes BLOB NOT NULL) STRICT",
        # Its signed head after the last commit.
        """
        CREATE TABLE head (
          one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, frontier BLOB NOT NULL, note BLOB NOT NULL
        ) STRICT
        """,
        # Roots of the wider complete subtrees, so that a proof reads a few rows however long the log.
        """
        CREATE TABLE nodes (level INTEGER, place INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, place))
        STRICT, WITHOUT ROWID
        """,
        # How far each running session has come; a row is overwritten, never a record.
        "CREATE TABLE progress (session INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT",
        # Small values that change: what has been learned, command numbers, cursors.
        "CREATE TABLE facts (key TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID",
        # Tariffs and the like as signed; a record pins one by kind, version and hash.
        """
        CREATE TABLE documents (
          id INTEGER PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL, hash BLOB NOT NULL,
          bytes BLOB NOT NULL, UNIQUE (kind, version, hash)
        ) STRICT
        """,
        # The largest checkpoint that headquarters has cosigned.
        "CREATE TABLE cosigned (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, note BLOB NOT NULL) "
        "STRICT",
        # The till's fold at two sizes: the newest, and the one before in case the newest cannot be read.
        "CREATE TABLE snapshots (size INTEGER PRIMARY KEY, frontier BLOB NOT NULL, payload BLOB NOT NULL) STRICT",
    ),
    "pruning": (
        # The signed snapshot that stands for the first `size` records; most of them are gone.
        "CREATE TABLE base (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, bytes BLOB NOT NULL) "
        "STRICT",
    ),
}


class Connection(Protocol):
    """What the journal asks of SQLite: one statement at a time, transactions begun and ended by statements."""

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, parameters: tuple[Any, ...] = ..., /) -> Iterable[Any]: ...

    def close(self) -> None: ...


def migrate(connection: Connection) -> None:
    """Bring the tables up to date. Doing it again changes nothing."""
    if not _pending(connection):
        return
    if isinstance(connection, sqlite3.Connection):
        _apply_with_sqlite_utils(connection)
    else:
        _apply(connection)


def _pending(connection: Connection) -> list[str]:
    if not list(connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'")):
        return list(MIGRATIONS)
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (SET,))
    applied = {name for (name,) in rows}
    return [name for name in MIGRATIONS if name not in applied]


def _apply_with_sqlite_utils(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database, Migrations

    migrations = Migrations(SET)
    for name, statements in MIGRATIONS.items():

        def run(db: Database, statements: tuple[str, ...] = statements) -> None:
            for statement in statements:
                db.execute(statement)

        migrations(name=name)(run)
    migrations.apply(Database(connection))


def _apply(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS _sqlite_migrations "
        "(id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
    )
    for name in _pending(connection):
        connection.execute("BEGIN IMMEDIATE")
        for statement in MIGRATIONS[name]:
            connection.execute(statement)
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, '')", (SET, name)
        )
        connection.execute("COMMIT")
