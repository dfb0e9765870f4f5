"""What of a damaged journal can still be read? It is written to a new file; the old one is only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.journal import reading, signed_snapshot, sums
from edge.journal import store as tables
from edge.journal.connection import connect, connect_reader
from edge.journal.errors import JournalDamaged, JournalError
from edge.journal.files import Lock, make_private_directory
from edge.journal.second_copy import Copies
from edge.journal.step import Head, Identity
from edge.journal.sums import without_sum
from protocols.proof import keys
from protocols.proof.errors import Unproven
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.records import Record

_VALUES = {
    "progress": "session, bytes",
    "facts": "key, bytes",
    "documents": "id, kind, version, hash, bytes",
    "cosigned": "one, size, note",
}
"""Tables whose rows are copied as they are. Snapshots are left out: the till folds the records again."""


@dataclass(slots=True)
class Salvaged:
    """What came of it.

    complete: every record is there and hashes to the signed head, and every value could be read; the new file may take
        the old one's place. Otherwise it serves to send the records to headquarters, and a new epoch begins.
    missing: seqs that could not be had, as (first, last). problems: what could not be read, in words. left_out: what
        was not copied and is not needed: a session without its row is settled from its opening record.
    """

    size: int = 0
    read: int = 0
    from_second_copy: int = 0
    complete: bool = False
    missing: list[tuple[int, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def salvage(path: Path, into: Path, *, second_copy_directory: Path | None = None) -> Salvaged:
    """Copy what can be read of the journal at `path` to a new file. Raises JournalLocked; JournalError when `into`
    exists, or when not even whose log it is can be read.
    """
    if into.exists():
        raise JournalError(f"{into} exists", remedy="Name a new file.")
    lock = Lock(path.with_suffix(".lock"))
    try:
        old = connect_reader(path)
        try:
            return _salvage(old, into, second_copy_directory)
        finally:
            old.close()
    finally:
        lock.release()


def _salvage(old: sqlite3.Connection, into: Path, directory: Path | None) -> Salvaged:
    result = Salvaged()
    identity = _identity(old)
    head = _head(old, result)
    copies = None if directory is None else Copies(directory, keys.origin(identity.site, identity.epoch))
    result.size = max(head.size, _last_seq(old, result) + 1, 0 if copies is None else copies.size())

    make_private_directory(into.parent)
    new = connect(into)
    try:
        tables.begin_log(new, identity)
        new.execute("BEGIN IMMEDIATE")
        frontier = _pruned(old, new, result)
        for seq, data in _records(old, copies, result, frontier.size):
            new.execute("INSERT INTO records (seq, bytes) VALUES (?, ?)", (seq, data))
            if seq == frontier.size:
                frontier = tables.append_nodes(new, frontier, [leaf_hash(data)])
        for table, columns in _VALUES.items():
            _copy_rows(old, new, table, columns, result)
        result.complete = not result.problems and not result.missing and frontier == head.frontier
        if not result.complete and not result.problems and not result.missing:
            result.problems.append("the records do not hash to the signed head")
        tables.write_head(new, Head(frontier, head.note))
        new.execute("COMMIT")
    finally:
        new.close()
    return result


def _identity(old: sqlite3.Connection) -> Identity:
    try:
        identity = reading.read_identity(old)
    except sqlite3.Error as error:
        raise JournalError(
            f"not even whose log it is can be read: {error}",
            remedy="Restore an image of the disk, or take the records from the second copy.",
        ) from error
    if identity is None:
        raise JournalError("the file holds no log", remedy="There is nothing to salvage.")
    return identity


def _head(old: sqlite3.Connection, result: Salvaged) -> Head:
    try:
        return reading.read_head(old)
    except (sqlite3.Error, JournalDamaged) as error:
        result.problems.append(f"head: {error}")
        return Head(Frontier(), b"")


def _last_seq(old: sqlite3.Connection, result: Salvaged) -> int:
    try:
        return next(iter(old.execute("SELECT seq FROM records ORDER BY seq DESC LIMIT 1")), (-1,))[0]
    except sqlite3.Error as error:
        result.problems.append(f"last record: {error}")
        return -1


def _pruned(old: sqlite3.Connection, new: sqlite3.Connection, result: Salvaged) -> Frontier:
    """What stands for the pruned records goes over whole or not at all: the snapshot, and their part of the tree."""
    try:
        data = reading.read_base(old)
        if data is None:
            return Frontier()
        frontier = signed_snapshot.read(data).fold.frontier
        for row in old.execute("SELECT one, size, bytes FROM base"):
            new.execute("INSERT INTO base (one, size, bytes) VALUES (?, ?, ?)", row)
        for level, place, hashed in old.execute("SELECT level, place, hash FROM nodes"):
            if place + 1 << level <= frontier.size:
                new.execute("INSERT INTO nodes (level, place, hash) VALUES (?, ?, ?)", (level, place, hashed))
    except (sqlite3.Error, JournalDamaged, Unproven) as error:
        result.problems.append(f"base: {error}")
        return Frontier()
    return frontier


def _records(
    old: sqlite3.Connection, copies: Copies | None, result: Salvaged, pruned: int
) -> Iterator[tuple[int, bytes]]:
    """Each record that can be had, one look-up for each, so that a bad page costs only what lies on it.

    pruned: so many of the first need not be there; those that are, are.
    """
    for seq in range(result.size):
        data = _read_one(old, seq)
        if data is None and seq < pruned:
            continue
        if data is None and copies is not None:
            data = copies.record(seq)
            result.from_second_copy += data is not None
        if data is not None:
            result.read += 1
            yield seq, data
        elif result.missing and result.missing[-1][1] == seq - 1:
            result.missing[-1] = (result.missing[-1][0], seq)
        else:
            result.missing.append((seq, seq))


def _read_one(old: sqlite3.Connection, seq: int) -> bytes | None:
    try:
        for (data,) in old.execute("SELECT bytes FROM records WHERE seq = ?", (seq,)):
            decode(data, Record)
            assert isinstance(data, bytes), "a STRICT column of type BLOB"
            return data
    except (sqlite3.Error, NotCanonical):
        return None
    return None


def _copy_rows(old: sqlite3.Connection, new: sqlite3.Connection, table: str, columns: str, result: Salvaged) -> None:
    marks = ", ".join("?" for _ in columns.split(","))
    try:
        for row in old.execute(f"SELECT {columns} FROM {table}"):  # noqa: S608 - both are constants of this file
            damage = _damage(table, row)
            if damage:
                (result.left_out if table == "progress" else result.problems).append(damage)
                continue
            new.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", row)  # noqa: S608 - as above
    except sqlite3.Error as error:
        result.problems.append(f"{table}: {error}")


def _damage(table: str, row: tuple[Any, ...]) -> str:
    """Why the row is not what was written; empty when it is."""
    try:
        if table == "documents":
            reading.document_of(*row[1:])
        elif table == "cosigned":
            without_sum(row[2], sums.cosigned(row[1]))
        else:
            without_sum(row[1], (sums.row if table == "progress" else sums.fact)(row[0]))
    except JournalDamaged as error:
        return error.what
    return ""
