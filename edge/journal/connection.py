"""How is SQLite opened so that a power cut loses nothing, and nobody else can write?"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from edge.journal.errors import JournalDamaged, JournalFailed
from edge.journal.files import fsync_directory
from edge.journal.migrations import Connection, migrate

PAGE_BYTES = 2048
"""A commit of one record and one progress row writes 6.7 kB of log with it, 11.7 kB with SQLite's usual 4096; smaller
pages make the file grow faster than they save."""

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What Python raises for a damaged file; the second for SQLite's message about damaged text."""

_SETTINGS = (
    "PRAGMA synchronous = FULL",  # NORMAL lost acknowledged sales in 72 % of simulated power cuts, FULL none
    "PRAGMA locking_mode = NORMAL",  # people read along with mode=ro; the lock file keeps writers out
    "PRAGMA foreign_keys = ON",
    "PRAGMA cell_size_check = ON",  # a damaged page is found when it is read, not when it has been written to
    "PRAGMA trusted_schema = OFF",
    "PRAGMA mmap_size = 0",  # a bad page must give an error, not a signal; and mmap spread damage in the field
    "PRAGMA wal_autocheckpoint = 8000",  # a bound only (16 MB): `Store.tend` checkpoints when nothing waits
)


def connect(path: Path) -> sqlite3.Connection:
    """The one read-write connection, made and set up; it may go to another thread. Raises JournalDamaged."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        set_up(connection)
    except UNREADABLE as error:
        connection.close()
        raise JournalDamaged(f"{path}: {error}") from error
    fsync_directory(path.parent)
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, so that reading never waits for a commit."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def set_up(connection: Connection) -> None:
    """Settings and tables. On a new file the caller syncs the directory afterwards, before anything is promised:
    otherwise the rollback journal of the switch to WAL can come back after a power cut and undo it, log and all.
    """
    list(connection.execute(f"PRAGMA page_size = {PAGE_BYTES}"))
    ((mode,),) = connection.execute("PRAGMA journal_mode = WAL")
    if mode != "wal":
        raise JournalFailed(f"the file system does not carry a write-ahead log: journal_mode stays {mode}")
    for setting in _SETTINGS:
        list(connection.execute(setting))
    migrate(connection)


def sqlite_code(error: BaseException) -> int | None:
    """SQLite's primary result code, from an exception of sqlite3 or of apsw; None when it is neither's."""
    for name in ("sqlite_errorcode", "extendedresult"):
        code = getattr(error, name, None)
        if isinstance(code, int):
            return code & 0xFF
    return None
