"""Whoever has the file and wants to lie: edits a journal, and mends as much of the traces as it is told to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from edge.journal import store as tables
from edge.journal import sums
from edge.journal.step import Head
from protocols.proof import keys
from protocols.proof.checkpoint import Checkpoint, sign_checkpoint
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.codec import Wire, decode, encode
from protocols.trade.records import Record, body_of


class Forger:
    """A closed journal file, opened to be lied in. What is changed is on disk once `done` has been called."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        rows = self._db.execute("SELECT bytes FROM records ORDER BY seq")
        self.records: list[bytes] = [data for (data,) in rows]

    def done(self) -> None:
        self._db.close()

    def run(self, sql: str, *values: Any) -> None:
        """Straight into the tables."""
        self._db.execute(sql, values)

    def seq_of(self, kind: str, nth: int = 0) -> int:
        return [seq for seq, data in enumerate(self.records) if decode(data, Record).kind == kind][nth]

    # --- edits in memory ----------------------------------------------------------------------------------------------

    def edit(self, seq: int, change: Callable[[Record], Record]) -> Forger:
        self.records[seq] = encode(change(decode(self.records[seq], Record)))
        return self

    def edit_body(self, seq: int, **changes: Any) -> Forger:
        def change(record: Record) -> Record:
            body = body_of(record)
            assert isinstance(body, Wire)
            return replace(record, body=encode(replace(body, **changes)))

        return self.edit(seq, change)

    # --- how well the traces are covered ------------------------------------------------------------------------------

    def write(self) -> Forger:
        """The records alone."""
        self.run("DELETE FROM records")
        self._db.executemany("INSERT INTO records VALUES (?, ?)", enumerate(self.records))
        return self

    def hash_anew(self) -> Forger:
        """Records, tree and frontier; the signed head stays as it was."""
        self.write()
        self.run("DELETE FROM nodes")
        self._frontier = tables.append_nodes(self._db, Frontier(), [leaf_hash(data) for data in self.records])
        ((note,),) = self._db.execute("SELECT note FROM head")
        tables.write_head(self._db, Head(self._frontier, note))
        return self

    def sign_anew(self, key: Ed25519PrivateKey) -> Forger:
        """And a head signed with this key over it all."""
        self.hash_anew()
        signed = Checkpoint(keys.origin("hz-1", 1), self._frontier.size, self._frontier.root())
        tables.write_head(self._db, Head(self._frontier, sign_checkpoint(signed, key)))
        return self

    def forget_others(self) -> Forger:
        """Snapshots and acknowledgement, which would tell of the log as it was."""
        self.run("DELETE FROM snapshots")
        self.run("DELETE FROM cosigned")
        return self

    def row(self, session: int, data: bytes) -> Forger:
        self.run("UPDATE progress SET bytes = ? WHERE session = ?", sums.with_sum(data, sums.row(session)), session)
        return self

    def progress(self, session: int) -> bytes:
        ((stored,),) = self._db.execute("SELECT bytes FROM progress WHERE session = ?", (session,))
        return sums.without_sum(stored, sums.row(session))

    def snapshot(self) -> tuple[int, bytes]:
        ((size, stored),) = self._db.execute("SELECT size, payload FROM snapshots ORDER BY size DESC LIMIT 1")
        return size, sums.without_sum(stored, sums.snapshot(size))

    def rewrite_snapshot(self, size: int, payload: bytes) -> Forger:
        self.run("UPDATE snapshots SET payload = ? WHERE size = ?", sums.with_sum(payload, sums.snapshot(size)), size)
        return self

    def base(self) -> bytes:
        ((size, stored),) = self._db.execute("SELECT size, bytes FROM base")
        return sums.without_sum(stored, sums.base(size))

    def rewrite_base(self, data: bytes) -> Forger:
        ((size,),) = self._db.execute("SELECT size FROM base")
        self.run("UPDATE base SET bytes = ?", sums.with_sum(data, sums.base(size)))
        return self
