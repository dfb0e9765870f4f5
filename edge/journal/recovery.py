"""Is the journal on disk what was written, before anything is served from it?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge.journal import store as tables
from edge.journal.errors import JournalDamaged, JournalError
from edge.journal.step import Head, Identity
from protocols.proof import checkpoint, keys
from protocols.proof.errors import Unproven
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.records import Record

QUICK_CHECK_BYTES_MAX = 64 * 1024 * 1024
"""Larger files skip SQLite's own check of every page at each start; `fieldtill journal check` always runs it."""

TAIL = 1_000
"""Records that are decoded again at each start, snapshot or not."""

_CHUNK = 1_000


def check(path: Path, log_public: bytes, *, full: bool = False) -> None:
    """Return when the journal is whole; raise JournalDamaged, or JournalError when it is another key's.

    Hashes the records since the last snapshot (full: all records) and compares the root with the signed head.
    """
    connection = tables.connect_reader(path)
    try:
        _check(connection, log_public, full or path.stat().st_size <= QUICK_CHECK_BYTES_MAX, full)
    except sqlite3.Error as error:
        raise JournalDamaged(f"{path}: {error}") from error
    finally:
        connection.close()


def _check(connection: sqlite3.Connection, log_public: bytes, pages: bool, full: bool) -> None:
    if pages:
        found = [line for (line,) in connection.execute("PRAGMA quick_check(5)")]
        if found != ["ok"]:
            raise JournalDamaged("; ".join(found))
    identity = tables.read_identity(connection)
    if identity is None:
        raise JournalError("the file holds no log", remedy="Run `fieldtill setup` to enrol this box.")
    if identity.log_key != log_public:
        raise JournalError(
            f"the log of {identity.site}, epoch {identity.epoch}, was signed with another key",
            remedy="Restore that epoch's log key, or enrol again for a new epoch.",
        )
    head = tables.read_head(connection)
    _check_signature(head, identity)
    start = Frontier() if full else _start(connection, head)
    frontier = start
    expected = max(0, min(start.size, head.size - TAIL))
    while chunk := _chunk(connection, expected):
        leaves: list[bytes] = []
        for seq, data in chunk:
            if seq != expected:
                raise JournalDamaged(f"missing; the next one is {seq}", seq=expected)
            _check_record(seq, data)
            if seq >= start.size:
                leaves.append(leaf_hash(data))
            expected += 1
        frontier = frontier.append_many(leaves)
    if expected != head.size:
        raise JournalDamaged(f"the signed head has {head.size} records, the table {expected}", seq=expected)
    if frontier.root() != head.frontier.root():
        raise JournalDamaged("the records do not hash to the signed root")
    cosigned = tables.read_cosigned(connection)
    if cosigned is not None and cosigned[0] > head.size:
        raise JournalDamaged(f"headquarters has cosigned {cosigned[0]} records, the log has {head.size}")


def _check_signature(head: Head, identity: Identity) -> None:
    if head.size == 0 and not head.note:
        return
    try:
        signed = checkpoint.verify_checkpoint(
            head.note, keys.log_verifier(identity.site, identity.epoch, identity.log_key)
        )
    except Unproven as error:
        raise JournalDamaged(f"the signed head: {error}") from error
    if (signed.size, signed.root) != (head.size, head.frontier.root()):
        raise JournalDamaged(f"the head says size {head.size}, its signed note {signed.size}, or another root")


def _start(connection: sqlite3.Connection, head: Head) -> Frontier:
    try:
        snapshots = tables.read_snapshots(connection)
    except Unproven:
        return Frontier()
    return next((frontier for snapshot, frontier in snapshots if snapshot.size <= head.size), Frontier())


def _chunk(connection: sqlite3.Connection, first_seq: int) -> list[tuple[int, bytes]]:
    return list(
        connection.execute("SELECT seq, bytes FROM records WHERE seq >= ? ORDER BY seq LIMIT ?", (first_seq, _CHUNK))
    )


def _check_record(seq: int, data: bytes) -> None:
    try:
        decode(data, Record)
    except NotCanonical as error:
        raise JournalDamaged(str(error), seq=seq) from error
