"""Is the journal on disk what was written, before anything is served from it?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edge.journal import reading, signed_snapshot
from edge.journal.connection import UNREADABLE, connect_reader
from edge.journal.errors import JournalDamaged, JournalError
from edge.journal.step import Head, Identity
from protocols.proof import checkpoint, keys
from protocols.proof.errors import Unproven
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.codec import BYTES_MAX, NotCanonical, decode
from protocols.trade.records import Record

QUICK_CHECK_BYTES_MAX = 64 * 1024 * 1024
"""Larger files skip SQLite's own check of every page at each start; `fieldtill journal check` always runs it."""

TAIL = 1_000
"""Records that are decoded again at each start, snapshot or not."""

_CHUNK = 1_000
_WIDTH = 1 << reading.NODE_LEVEL_MIN


def check(path: Path, log_public: bytes, *, full: bool = False) -> None:
    """Return when the journal is whole; raise JournalDamaged, or JournalError when it is another key's.

    Hashes the records since the last snapshot (full: all records) and compares the root with the signed head.
    """
    connection = connect_reader(path)
    try:
        if full or path.stat().st_size <= QUICK_CHECK_BYTES_MAX:
            _check_pages(connection)
        identity = _check_identity(connection, log_public)
        head = reading.read_head(connection)
        _check_signature(head, identity)
        reading.check_values(connection)
        base = _base(connection, identity, head)
        start = base if full else _newest_snapshot(connection, head, base)
        try:
            _check_log(connection, head, start, base.size)
        except JournalDamaged:
            _check_log(connection, head, base, base.size)  # from the first record it is told more exactly what is wrong
            raise
    except UNREADABLE as error:
        raise JournalDamaged(f"{path}: {error}") from error
    finally:
        connection.close()


def _check_pages(connection: sqlite3.Connection) -> None:
    found = [line for (line,) in connection.execute("PRAGMA integrity_check(5)")]
    if found != ["ok"]:
        raise JournalDamaged("SQLite finds damaged pages: " + "; ".join(found))


def _check_identity(connection: sqlite3.Connection, log_public: bytes) -> Identity:
    identity = reading.read_identity(connection)
    if identity is None:
        raise JournalError("the file holds no log", remedy="Run `fieldtill setup` to enrol this box.")
    if identity.log_key != log_public:
        raise JournalError(
            f"the log of {identity.site}, epoch {identity.epoch}, was signed with another key",
            remedy="Restore that epoch's log key, or enrol again for a new epoch.",
        )
    return identity


def _check_signature(head: Head, identity: Identity) -> None:
    if head.size == 0 and not head.note:
        return
    try:
        log_key = keys.log_verifier(identity.site, identity.epoch, identity.log_key)
        signed = checkpoint.verify_checkpoint(head.note, log_key)
    except Unproven as error:
        raise JournalDamaged(f"the signed head: {error}") from error
    if signed.size != head.size:
        raise JournalDamaged(f"the log was signed with {signed.size} records, and {head.size} are left", seq=head.size)
    if signed.root != head.frontier.root():
        raise JournalDamaged("the signed head and its frontier have different roots")


def _base(connection: sqlite3.Connection, identity: Identity, head: Head) -> Frontier:
    """The tree of what has been pruned, by its signed snapshot; empty while nothing has."""
    data = reading.read_base(connection)
    if data is None:
        return Frontier()
    try:
        snapshot = signed_snapshot.read(data)
    except Unproven as error:
        raise JournalDamaged(f"the signed snapshot of what was pruned: {error}") from error
    named = (snapshot.site, snapshot.epoch, snapshot.log_key)
    if named != (identity.site, identity.epoch, identity.log_key) or snapshot.fold.size > head.size:
        raise JournalDamaged("the signed snapshot of what was pruned is of another log")
    return snapshot.fold.frontier


def _check_log(connection: sqlite3.Connection, head: Head, start: Frontier, first: int) -> None:
    """Records without a gap, each canonical, hashing to every root that somebody vouches for since `start`.

    first: the first record that must be there.
    """
    roots = [(head.size, head.frontier.root(), "the signed head"), *_other_roots(connection, head)]
    frontier = start
    seq = max(first, min(start.size, head.size - TAIL))
    for stop in sorted({start.size, *(size for size, _, _ in roots if size > start.size)}):
        for chunk in _chunks(connection, seq, stop):
            fresh = chunk[max(0, start.size - seq) :]
            frontier = frontier.append_many(map(leaf_hash, fresh))
            seq += len(chunk)
        for size, root, what in roots:
            if size == stop and root != frontier.root():
                where = _first_difference(connection, first, stop)
                raise JournalDamaged(f"this one or one of the {_WIDTH - 1} after it does not hash to {what}", seq=where)
    ((last,),) = connection.execute("SELECT max(seq) FROM records")
    if last is not None and last >= head.size:
        raise JournalDamaged(f"records up to {last} lie behind the signed head of {head.size}", seq=head.size)


def _chunks(connection: sqlite3.Connection, first_seq: int, end_seq: int) -> Iterator[list[bytes]]:
    """The records from first_seq to end_seq, each canonical and in its place; raises JournalDamaged."""
    for start in range(first_seq, end_seq, _CHUNK):
        end = min(end_seq, start + _CHUNK)
        sql = "SELECT seq, bytes FROM records WHERE seq >= ? AND seq < ? ORDER BY seq"
        try:
            rows = connection.execute(sql, (start, end)).fetchall()
        except sqlite3.Error as error:
            raise JournalDamaged(f"this one or one of the {end - start - 1} after it: {error}", seq=start) from error
        for expected, (seq, data) in enumerate(rows, start):
            if seq != expected:
                raise JournalDamaged("missing", seq=expected)
            try:
                decode(data, Record)
            except NotCanonical as error:
                raise JournalDamaged(str(error), seq=seq) from error
        if len(rows) != end - start:
            raise JournalDamaged("missing", seq=start + len(rows))
        yield [data for _, data in rows]


def _other_roots(connection: sqlite3.Connection, head: Head) -> list[tuple[int, bytes, str]]:
    """Size, root and whose it is: of the snapshots, and of what headquarters cosigned."""
    roots: list[tuple[int, bytes, str]] = []
    try:
        for snapshot, frontier in reading.read_snapshots(connection):
            roots.append((snapshot.size, frontier.root(), f"the snapshot of size {snapshot.size}"))
        cosigned = reading.read_cosigned(connection)
        if cosigned is not None:
            root = checkpoint.parse(cosigned[1]).root
            roots.append((cosigned[0], root, f"what headquarters cosigned at size {cosigned[0]}"))
    except Unproven as error:
        raise JournalDamaged(f"a snapshot or the cosigned checkpoint: {error}") from error
    for size, _, what in roots:
        if size > head.size:
            raise JournalDamaged(f"the log has {head.size} records, fewer than {what}", seq=head.size)
    return roots


def _newest_snapshot(connection: sqlite3.Connection, head: Head, base: Frontier) -> Frontier:
    try:
        snapshots = reading.read_snapshots(connection)
    except Unproven:
        return base  # _other_roots says so
    newest = next((frontier for snapshot, frontier in snapshots if snapshot.size <= head.size), base)
    return newest if newest.size >= base.size else base


def _first_difference(connection: sqlite3.Connection, first: int, size: int) -> int:
    """The first seq of the narrowest kept subtree whose records do not hash to it."""
    for place in range(first // _WIDTH, size // _WIDTH):
        records = reading.read_records(connection, place * _WIDTH, _WIDTH, _WIDTH * BYTES_MAX)
        if (
            reading.read_node(connection, reading.NODE_LEVEL_MIN, place)
            != Frontier().append_many(map(leaf_hash, records)).root()
        ):
            return place * _WIDTH
    return size // _WIDTH * _WIDTH
