"""What do the journal's tables hold? Reads on any connection: the writer's, or one that cannot write."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from edge.journal import sums
from edge.journal.errors import JournalDamaged, JournalError, JournalPruned
from edge.journal.migrations import Connection
from edge.journal.step import Head, Identity, Snapshot
from edge.journal.sums import without_sum
from protocols.proof import tree
from protocols.proof.errors import Unproven
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade import documents
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.documents import Document

NODE_LEVEL_MIN = 5
"""Narrowest subtrees whose roots are kept: one row for each 32 records; a proof hashes at most 31 records itself."""


def read_identity(connection: Connection) -> Identity | None:
    """None when the file holds no log yet, be it for want of tables."""
    if not list(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'log'")):
        return None
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
    """Records from `first_seq` on: at most `limit`, and no more than `bytes_max` together; but always the first.

    Ends before a gap. Raises JournalPruned when the first is no longer here, JournalDamaged when it should be.
    """
    records: list[bytes] = []
    total = 0
    sql = "SELECT seq, bytes FROM records WHERE seq >= ? ORDER BY seq LIMIT ?"
    for seq, data in connection.execute(sql, (first_seq, limit)):
        if seq != first_seq + len(records):
            if not records:
                raise _absent(connection, first_seq, seq)
            break
        total += len(data)
        if records and total > bytes_max:
            break
        records.append(data)
    return records


def _absent(connection: Connection, seq: int, next_seq: int) -> JournalError:
    base = read_base_size(connection)
    if seq < base:
        return JournalPruned(f"record {seq} has been pruned; a signed snapshot stands for the first {base}", next_seq)
    return JournalDamaged(f"missing; the next one is {next_seq}", seq=seq)


def read_before_base(connection: Connection, kept: Collection[int], limit: int) -> list[int]:
    """The first seqs before the base that are still here, but for those in the narrow subtrees `kept` by place."""
    names = ", ".join(map(str, sorted(kept)))
    sql = (
        f"SELECT seq FROM records WHERE seq < ? AND seq >> {NODE_LEVEL_MIN} NOT IN ({names}) "  # noqa: S608  # numbers
        "ORDER BY seq LIMIT ?"
    )
    return [seq for (seq,) in connection.execute(sql, (read_base_size(connection), limit))]


def read_document_names(connection: Connection) -> list[tuple[str, int, bytes]]:
    return [
        (kind, version, its) for kind, version, its in connection.execute("SELECT kind, version, hash FROM documents")
    ]


def read_base_size(connection: Connection) -> int:
    """How many records a signed snapshot stands for: those before it need not be here. 0: all are."""
    if not list(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'base'")):
        return 0  # written by earlier software
    return next((size for (size,) in connection.execute("SELECT size FROM base")), 0)


def read_base(connection: Connection) -> bytes | None:
    """That snapshot (see signed_snapshot), not checked. Raises JournalDamaged."""
    if not read_base_size(connection):
        return None
    ((size, stored),) = connection.execute("SELECT size, bytes FROM base")
    return without_sum(stored, sums.base(size))


def read_progress(connection: Connection) -> dict[int, bytes]:
    """Raises JournalDamaged."""
    rows = connection.execute("SELECT session, bytes FROM progress ORDER BY session")
    return {session: without_sum(stored, sums.row(session)) for session, stored in rows}


def read_fact(connection: Connection, key: str) -> bytes | None:
    """Raises JournalDamaged."""
    stored = _one(connection, "SELECT bytes FROM facts WHERE key = ?", key)
    return None if stored is None else without_sum(stored, sums.fact(key))


def read_facts(connection: Connection) -> dict[str, bytes]:
    """Raises JournalDamaged."""
    rows = connection.execute("SELECT key, bytes FROM facts ORDER BY key")
    return {key: without_sum(stored, sums.fact(key)) for key, stored in rows}


def read_document(connection: Connection, kind: str, version: int, hashed: bytes | None) -> bytes | None:
    """The encoded Document; without a hash the one stored last under this version. Raises JournalDamaged."""
    sql = "SELECT bytes, hash FROM documents WHERE kind = ? AND version = ?"
    wanted: tuple[Any, ...] = (kind, version)
    if hashed is not None:
        sql, wanted = f"{sql} AND hash = ?", (*wanted, hashed)
    for data, its in connection.execute(f"{sql} ORDER BY id DESC LIMIT 1", wanted):
        return document_of(kind, version, its, data)
    return None


def check_values(connection: Connection) -> None:
    """Every small value is the one that was written, or JournalDamaged is raised."""
    read_progress(connection)
    read_facts(connection)
    for kind, version, hashed, data in connection.execute("SELECT kind, version, hash, bytes FROM documents"):
        document_of(kind, version, hashed, data)


def document_of(kind: str, version: int, hashed: bytes, stored: bytes) -> bytes:
    """The encoded Document of a row, which is what its names say. Raises JournalDamaged."""
    what = sums.document(kind, version, hashed)
    data = without_sum(stored, what)
    try:
        document = decode(data, Document, bytes_max=documents.BYTES_MAX)
    except NotCanonical as error:
        raise JournalDamaged(f"{what}: {error}") from error
    named = (document.kind, document.version, hashlib.sha256(document.payload).digest())
    if named != (kind, version, hashed):
        raise JournalDamaged(f"{what} is not what was written")
    return data


def read_cosigned(connection: Connection) -> tuple[int, bytes] | None:
    """Raises JournalDamaged."""
    rows = list(connection.execute("SELECT size, note FROM cosigned"))
    return (rows[0][0], without_sum(rows[0][1], sums.cosigned(rows[0][0]))) if rows else None


def read_snapshots(connection: Connection) -> list[tuple[Snapshot, Frontier]]:
    """Newest first. Raises JournalDamaged, and Unproven when a frontier is not one."""
    rows = connection.execute("SELECT size, payload, frontier FROM snapshots ORDER BY size DESC")
    return [
        (Snapshot(size, without_sum(payload, sums.snapshot(size))), Frontier.from_bytes(frontier))
        for size, payload, frontier in rows
    ]


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


def _one(connection: Connection, sql: str, *parameters: Any) -> bytes | None:
    rows = list(connection.execute(sql, parameters))
    return rows[0][0] if rows else None
