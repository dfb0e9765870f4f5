"""What does a journal file say, daemon or not? Reads it on a connection that cannot write."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from edge.journal import reading
from edge.journal.connection import connect_reader
from edge.journal.errors import JournalError, JournalPruned
from edge.journal.step import Identity
from edge.panel.client import Failed
from edge.panel.messages import Trouble
from edge.panel.record_view import CHUNK, select
from protocols.trade.codec import BYTES_MAX, NotCanonical, decode
from protocols.trade.records import Record


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, and whatever goes wrong with it as a refusal that a person understands."""
    if not path.exists():
        raise Failed(Trouble("no-journal", f"{path} does not exist", "Name the file with --journal PATH."))
    try:
        connection = connect_reader(path)
        try:
            yield connection
        finally:
            connection.close()
    except (sqlite3.Error, NotCanonical) as error:
        remedy = "`fieldtill journal check` says what is wrong with it."
        raise Failed(Trouble("journaldamaged", f"{path}: {error}", remedy)) from error
    except JournalError as error:
        raise Failed(Trouble(type(error).__name__.lower(), f"{path}: {error.what}", error.remedy)) from error


def records_of(path: Path, first: int, limit: int, kind: str) -> list[dict[str, Any]]:
    """As the daemon's verb `records`. Raises Failed."""
    with opened(path) as connection:
        size = reading.read_head(connection).size
        return select(partial(reading.read_records, connection), first, size, limit, kind)


def identity_of(path: Path) -> Identity:
    """Whose log it is. Raises Failed."""
    with opened(path) as connection:
        identity = reading.read_identity(connection)
    if identity is None:
        raise Failed(Trouble("no-log", f"{path} holds no log yet", "The daemon begins one when it has an epoch."))
    return identity


def inspect(path: Path) -> dict[str, Any]:
    """The file as a whole: whose log, how long, what HQ has cosigned, and each table's rows. Raises Failed."""
    from sqlite_utils import Database

    identity = identity_of(path)
    with opened(path) as connection:
        head, cosigned = reading.read_head(connection), reading.read_cosigned(connection)
        database = Database(connection)
        tables = [
            {"table": name, "rows": database[name].count, "columns": [column.name for column in database[name].columns]}
            for name in database.table_names()
        ]
        kinds = _kinds(connection, head.size)
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "site": identity.site,
        "epoch": identity.epoch,
        "records": head.size,
        "cosigned": cosigned[0] if cosigned else 0,
        "head": head.note.decode("utf-8", "replace"),
        "kinds": kinds,
        "tables": tables,
    }


def _kinds(connection: sqlite3.Connection, size: int) -> dict[str, int]:
    """How many records there are of each kind."""
    counts: Counter[str] = Counter()
    seq = 0
    while seq < size:
        try:
            batch = reading.read_records(connection, seq, CHUNK, CHUNK * BYTES_MAX)
        except JournalPruned as pruned:
            seq = pruned.next_seq
            continue
        counts.update(decode(data, Record).kind for data in batch)
        seq += len(batch)
    return dict(sorted(counts.items()))


def rows_of(path: Path, table: str, limit: int) -> list[dict[str, Any]]:
    """The newest rows of one table; bytes as hex. Raises Failed."""
    from sqlite_utils import Database

    with opened(path) as connection:
        database = Database(connection)
        if table not in database.table_names():
            known = ", ".join(database.table_names())
            raise Failed(Trouble("bad-request", f"no table {table}", f"It is one of {known}."))
        rows = list(database[table].rows_where(order_by="rowid desc", limit=limit))
    return [{name: part.hex() if isinstance(part, bytes) else part for name, part in row.items()} for row in rows]
