"""The journal's tables: one commit for any number of steps, and what can be read back. No threads, no event loop.

The same statements run on a connection of the standard library in the daemon and on an apsw connection over a failing
disk in tests and in the simulator.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.journal.errors import JournalDamaged, JournalError, JournalFailed, JournalFull
from edge.journal.files import fsync_directory
from edge.journal.migrations import Connection, migrate
from edge.journal.step import Counters, Head, Identity, Snapshot, Step
from protocols.proof import keys, tree
from protocols.proof.checkpoint import Checkpoint, sign_checkpoint
from protocols.proof.errors import Unproven
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.codec import decode
from protocols.trade.documents import Document

PAGE_BYTES = 2048
"""A commit of one record and one progress row writes 6.7 kB of log with it, 11.7 kB with SQLite's usual 4096; smaller
pages make the file grow faster than they save."""

NODE_LEVEL_MIN = 5
"""Narrowest subtrees whose roots are kept: one row for each 32 records; a proof hashes at most 31 records itself."""

SNAPSHOTS_KEPT = 2

_SQLITE_FULL = 13

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
    """The one read-write connection, made and set up. It may be handed to the writer's thread."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    set_up(connection)
    fsync_directory(path.parent)
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, so that reading never waits for a commit."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
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


class Store:
    """The log and the small values on one connection. Every method is for the thread that owns it."""

    def __init__(self, connection: Connection, log_key: Ed25519PrivateKey) -> None:
        """`connection` has been set up and holds a log (see `begin_log`). Raises JournalDamaged."""
        self._connection = connection
        self._log_key = log_key
        identity = read_identity(connection)
        if identity is None:
            raise JournalDamaged("the file holds no log")
        self.identity = identity
        self.origin = keys.origin(identity.site, identity.epoch)
        self.head = read_head(connection)
        self.counters = Counters()
        self._wal_frames = 0
        self._wal_starts = True
        self._commits_since_checkpoint = 0

    def commit(self, steps: Sequence[Step]) -> Head:
        """Make all steps durable in one transaction with one signed head: all of them, or none.

        Raises JournalFull (nothing was kept, the store still works) or JournalFailed (nothing may follow).
        """
        began_ns = time.monotonic_ns()
        try:
            self._run("BEGIN IMMEDIATE")
            head = self._write(steps)
            self._run("COMMIT")
        except Exception as error:
            raise self._give_up(error) from error
        self.head = head
        counters = self.counters
        counters.commits += 1
        counters.fsyncs += 1 + self._wal_starts
        self._wal_starts = False
        counters.steps += len(steps)
        counters.records += sum(len(step.sealed) for step in steps)
        counters.record_bytes += sum(len(sealed.data) for step in steps for sealed in step.sealed)
        counters.commit_us_last = (time.monotonic_ns() - began_ns) // 1000
        counters.commit_us_max = max(counters.commit_us_max, counters.commit_us_last)
        self._commits_since_checkpoint += 1
        return head

    def tend(self, commits_min: int = 250) -> None:
        """Move the write-ahead log into the file when that many commits have gathered. For idle moments."""
        if self._commits_since_checkpoint < commits_min:
            return
        try:
            ((busy, frames, moved),) = self._run("PRAGMA wal_checkpoint(PASSIVE)")
        except Exception as error:
            raise self._give_up(error) from error
        self._commits_since_checkpoint = 0
        self.counters.wal_checkpoints += 1
        self.counters.fsyncs += 2
        self.counters.wal_bytes += (frames - self._wal_frames) * (PAGE_BYTES + 24)
        self._wal_starts = not busy and frames == moved
        self._wal_frames = 0 if self._wal_starts else frames

    def close(self) -> None:
        """Close the connection; SQLite moves the write-ahead log into the file first, where it can."""
        try:
            self._connection.close()
        except Exception as error:
            if sqlite_code(error) is None:
                raise
            # It could not be moved (a full disk): it stays beside the file, and the next start reads it there.

    def _write(self, steps: Sequence[Step]) -> Head:
        records = [sealed for step in steps for sealed in step.sealed]
        seqs = [sealed.seq for sealed in records]
        assert seqs == list(range(self.head.size, self.head.size + len(seqs))), "records come in the order of the log"
        for sealed in records:
            self._run("INSERT INTO records (seq, bytes) VALUES (?, ?)", sealed.seq, sealed.data)
        frontier = self.head.frontier
        for step in steps:
            frontier = append_nodes(self._connection, frontier, [leaf_hash(sealed.data) for sealed in step.sealed])
            self._write_values(step)
            if step.snapshot is not None:
                self._write_snapshot(step.snapshot, frontier)
        if not records:
            return self.head
        head = Head(frontier, self.sign(frontier))
        write_head(self._connection, head)
        return head

    def sign(self, frontier: Frontier) -> bytes:
        """The signed note of this very log at that size. Any thread may ask."""
        return sign_checkpoint(Checkpoint(self.origin, frontier.size, frontier.root()), self._log_key)

    def _write_values(self, step: Step) -> None:
        for session, row in step.progress.items():
            if row is None:
                self._run("DELETE FROM progress WHERE session = ?", session)
            else:
                self._run("INSERT OR REPLACE INTO progress (session, bytes) VALUES (?, ?)", session, row)
        for key, value in step.facts.items():
            if value is None:
                self._run("DELETE FROM facts WHERE key = ?", key)
            else:
                self._run("INSERT OR REPLACE INTO facts (key, bytes) VALUES (?, ?)", key, value)
        for data in step.documents:
            document = decode(data, Document)
            hashed = hashlib.sha256(document.payload).digest()
            self._run(
                "INSERT OR IGNORE INTO documents (kind, version, hash, bytes) VALUES (?, ?, ?, ?)",
                *(document.kind, document.version, hashed, data),
            )
        if step.cosigned is not None:
            self._run(
                "INSERT INTO cosigned (one, size, note) VALUES (1, ?, ?) "
                "ON CONFLICT (one) DO UPDATE SET size = excluded.size, note = excluded.note "
                "WHERE excluded.size >= cosigned.size",
                *step.cosigned,
            )

    def _write_snapshot(self, payload: bytes, frontier: Frontier) -> None:
        self._run(
            "INSERT OR REPLACE INTO snapshots (size, frontier, payload) VALUES (?, ?, ?)",
            *(frontier.size, frontier.to_bytes(), payload),
        )
        self._run(
            "DELETE FROM snapshots WHERE size NOT IN (SELECT size FROM snapshots ORDER BY size DESC LIMIT ?)",
            SNAPSHOTS_KEPT,
        )

    def _run(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql, parameters))

    def _give_up(self, error: Exception) -> JournalError | Exception:
        """Roll back, and say what the error means for the caller."""
        code = sqlite_code(error)
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except Exception as second:
            return JournalFailed(f"{error}; and the rollback: {second}")
        if code is None:
            return error
        return JournalFull(str(error)) if code == _SQLITE_FULL else JournalFailed(f"{error} (SQLite code {code})")


def begin_log(connection: Connection, identity: Identity) -> None:
    """Write whose log this is, and an empty head. Raises JournalError when the file holds a log already."""
    known = read_identity(connection)
    if known is not None:
        raise JournalError(
            f"the file holds the log of {known.site}, epoch {known.epoch}",
            remedy="A new epoch begins a new file; keep the old one.",
        )
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT INTO log (one, site, epoch, log_key) VALUES (1, ?, ?, ?)",
        (identity.site, identity.epoch, identity.log_key),
    )
    write_head(connection, Head(Frontier(), b""))
    connection.execute("COMMIT")


def write_head(connection: Connection, head: Head) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO head (one, size, frontier, note) VALUES (1, ?, ?, ?)",
        (head.size, head.frontier.to_bytes(), head.note),
    )


def append_nodes(connection: Connection, frontier: Frontier, leaves: Sequence[bytes]) -> Frontier:
    """The frontier after these leaf hashes; the roots of wider subtrees that become complete are kept for proofs."""
    nodes: list[tuple[int, int, bytes]] = []

    def keep(level: int, place: int, hashed: bytes) -> None:
        if level >= NODE_LEVEL_MIN:
            nodes.append((level, place, hashed))

    frontier = frontier.append_many(leaves, keep)
    for node in nodes:
        connection.execute("INSERT INTO nodes (level, place, hash) VALUES (?, ?, ?)", node)
    return frontier


# --- reading: on any connection, the writer's or one that cannot write -----------------------------------------------


def read_identity(connection: Connection) -> Identity | None:
    """None when the file holds no log yet."""
    rows = list(connection.execute("SELECT site, epoch, log_key FROM log"))
    return Identity(*rows[0]) if rows else None


def read_head(connection: Connection) -> Head:
    """Raises JournalDamaged."""
    rows = list(connection.execute("SELECT size, frontier, note FROM head"))
    if not rows:
        raise JournalDamaged("the signed head is missing")
    size, frontier, note = rows[0]
    try:
        head = Head(Frontier.from_bytes(frontier), note)
    except Unproven as error:
        raise JournalDamaged(f"the frontier of the head: {error}") from error
    if head.size != size:
        raise JournalDamaged(f"the head says size {size}, its frontier {head.size}")
    return head


def read_records(connection: Connection, first_seq: int, limit: int, bytes_max: int) -> list[bytes]:
    """Records from `first_seq` on: at most `limit`, and no more than `bytes_max` together; but always the first."""
    records: list[bytes] = []
    total = 0
    cursor = connection.execute("SELECT bytes FROM records WHERE seq >= ? ORDER BY seq LIMIT ?", (first_seq, limit))
    for (data,) in cursor:
        total += len(data)
        if records and total > bytes_max:
            break
        records.append(data)
    return records


def read_progress(connection: Connection) -> dict[int, bytes]:
    return dict(connection.execute("SELECT session, bytes FROM progress ORDER BY session"))


def read_fact(connection: Connection, key: str) -> bytes | None:
    return _one(connection, "SELECT bytes FROM facts WHERE key = ?", key)


def read_facts(connection: Connection) -> dict[str, bytes]:
    return dict(connection.execute("SELECT key, bytes FROM facts ORDER BY key"))


def read_document(connection: Connection, kind: str, version: int, hashed: bytes | None) -> bytes | None:
    """The encoded Document; without a hash the one stored last under this version."""
    if hashed is None:
        return _one(
            connection, "SELECT bytes FROM documents WHERE kind = ? AND version = ? ORDER BY id DESC LIMIT 1",
            kind, version,
        )  # fmt: skip
    return _one(
        connection, "SELECT bytes FROM documents WHERE kind = ? AND version = ? AND hash = ?", kind, version, hashed
    )


def read_cosigned(connection: Connection) -> tuple[int, bytes] | None:
    rows = list(connection.execute("SELECT size, note FROM cosigned"))
    return (rows[0][0], rows[0][1]) if rows else None


def read_snapshots(connection: Connection) -> list[tuple[Snapshot, Frontier]]:
    """Newest first. Raises Unproven when a frontier is not one."""
    rows = connection.execute("SELECT size, payload, frontier FROM snapshots ORDER BY size DESC")
    return [(Snapshot(size, payload), Frontier.from_bytes(frontier)) for size, payload, frontier in rows]


def node_reader(connection: Connection) -> tree.NodeHash:
    """The hash of any complete node: wide ones from their rows, narrow ones hashed from their records."""

    def node(level: int, place: int) -> bytes:
        if level >= NODE_LEVEL_MIN:
            kept = read_node(connection, level, place)
            if kept is None:
                raise JournalDamaged(f"the node {level}/{place} is missing", seq=place << level)
            return kept
        leaves = read_records(connection, place << level, 1 << level, 2**62)
        return Frontier().append_many(map(leaf_hash, leaves)).root()

    return node


def read_node(connection: Connection, level: int, place: int) -> bytes | None:
    """The kept root of a subtree of at least 2 ** NODE_LEVEL_MIN records; None while it is not complete."""
    return _one(connection, "SELECT hash FROM nodes WHERE level = ? AND place = ?", level, place)


def read_frontier(connection: Connection, size: int) -> Frontier:
    """The frontier of the first `size` records, all of which are there. Raises JournalDamaged."""
    node = node_reader(connection)
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    return Frontier(size, tuple(node(level, (size >> level) - 1) for level in levels))


def sqlite_code(error: BaseException) -> int | None:
    """SQLite's primary result code, from an exception of sqlite3 or of apsw; None when it is neither's."""
    for name in ("sqlite_errorcode", "extendedresult"):
        code = getattr(error, name, None)
        if isinstance(code, int):
            return code & 0xFF
    return None


def _one(connection: Connection, sql: str, *parameters: Any) -> bytes | None:
    rows = list(connection.execute(sql, parameters))
    return rows[0][0] if rows else None
