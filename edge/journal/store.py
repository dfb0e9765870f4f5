"""One commit for any number of steps: what is written, in which transaction. No threads, no event loop.

The same statements run on a connection of the standard library in the daemon and on an apsw connection over a failing
disk in tests and in the simulator.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.journal import signed_snapshot, sums
from edge.journal.connection import PAGE_BYTES, sqlite_code
from edge.journal.errors import JournalDamaged, JournalError, JournalFailed, JournalFull
from edge.journal.migrations import Connection
from edge.journal.reading import NODE_LEVEL_MIN, read_head, read_identity
from edge.journal.signed_snapshot import Fold
from edge.journal.step import Counters, Head, Identity, Step
from edge.journal.sums import with_sum
from protocols.proof import keys
from protocols.proof.checkpoint import Checkpoint, sign_checkpoint
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade import documents
from protocols.trade.codec import decode
from protocols.trade.documents import Document
from protocols.trade.records import EpochOpened

SNAPSHOTS_KEPT = 2

_SQLITE_FULL = 13


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

    def sign_fold(self, opened: EpochOpened, fold: Fold, software: str) -> bytes:
        """A signed snapshot of this very log. Any thread may ask."""
        return signed_snapshot.sign(opened, fold, self._log_key, software)

    def _write_values(self, step: Step) -> None:
        for session, row in step.progress.items():
            if row is None:
                self._run("DELETE FROM progress WHERE session = ?", session)
            else:
                stored = with_sum(row, sums.row(session))
                self._run("INSERT OR REPLACE INTO progress (session, bytes) VALUES (?, ?)", session, stored)
        for key, value in step.facts.items():
            if value is None:
                self._run("DELETE FROM facts WHERE key = ?", key)
            else:
                stored = with_sum(value, sums.fact(key))
                self._run("INSERT OR REPLACE INTO facts (key, bytes) VALUES (?, ?)", key, stored)
        for data in step.documents:
            document = decode(data, Document, bytes_max=documents.BYTES_MAX)
            named = (document.kind, document.version, hashlib.sha256(document.payload).digest())
            self._run(
                "INSERT OR IGNORE INTO documents (kind, version, hash, bytes) VALUES (?, ?, ?, ?)",
                *(*named, with_sum(data, sums.document(*named))),
            )
        if step.cosigned is not None:
            size, note = step.cosigned
            self._run(
                "INSERT INTO cosigned (one, size, note) VALUES (1, ?, ?) "
                "ON CONFLICT (one) DO UPDATE SET size = excluded.size, note = excluded.note "
                "WHERE excluded.size >= cosigned.size",
                *(size, with_sum(note, sums.cosigned(size))),
            )

        if step.base is not None:
            size, data = step.base
            stored = with_sum(data, sums.base(size))
            self._run("INSERT OR REPLACE INTO base (one, size, bytes) VALUES (1, ?, ?)", size, stored)
        for seq in step.prune:
            self._run("DELETE FROM records WHERE seq = ? AND seq < (SELECT size FROM base)", seq)
        for hashed in step.forget:
            self._run("DELETE FROM documents WHERE hash = ?", hashed)

    def _write_snapshot(self, payload: bytes, frontier: Frontier) -> None:
        self._run(
            "INSERT OR REPLACE INTO snapshots (size, frontier, payload) VALUES (?, ?, ?)",
            *(frontier.size, frontier.to_bytes(), with_sum(payload, sums.snapshot(frontier.size))),
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
