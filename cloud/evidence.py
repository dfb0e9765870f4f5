"""What do records tell that came another way than the log: on a customer's phone, as a receipt?

Each is proven before it is kept: it stands in a head that the site's log key signed. A head that contradicts what is
here freezes the epoch at once. One that is ahead of us waits, and is compared when the log itself arrives; only then is
anything posted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from cloud import forks, schema
from cloud.clock import Clock
from cloud.keys import HqKeys
from cloud.refusal import Refuse
from protocols.proof import checkpoint as heads
from protocols.proof import keys, receipt
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.errors import Unproven
from protocols.proof.receipt import Receipt
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.wire import RefusalCode

AGREES, WAITING, CONTRADICTS = "agrees", "waiting", "contradicts"

WAITING_MAX = 1_000
"""Of one log. More would be a site's whole day: its log will tell."""


class Other(NamedTuple):
    """A signed head that is not one of ours. size: at which the roots differ."""

    size: int
    checkpoint: bytes


def add(connection: sa.Connection, hq: HqKeys, clock: Clock, record: bytes, shown: bytes) -> str:
    """Take in a record with the receipt that proves it: AGREES, WAITING or CONTRADICTS. Stored once. Raises Refuse."""
    proof, head, claimed = _proven(connection, record, shown)
    table, digest = schema.evidence, hashlib.sha256(leaf_hash(record) + shown).digest()
    before = connection.execute(
        sa.select(table.c.state).where(table.c.log == head.id, table.c.digest == digest)
    ).scalar()
    if before is not None:
        return str(before)
    state, kept = WAITING, head.cosigned
    if claimed.size <= head.size:
        agrees = root_at(connection, head, claimed.size) == claimed.root  # and so is every record that it proves
        state = AGREES if agrees else CONTRADICTS
    else:
        rival = _rival(connection, head, claimed)
        if rival is not None:
            state, kept = CONTRADICTS, rival
    if state == WAITING and _count_waiting(connection, head.id) >= WAITING_MAX:
        got = f"{WAITING_MAX} that wait"
        raise Refuse(RefusalCode.TOO_MANY, "evidence of this log", expected="its log to arrive", got=got)
    values = {"log": head.id, "digest": digest, "seq": proof.index, "size": claimed.size, "state": state}
    values |= {"record": record, "receipt": shown} if state != AGREES else {"record": b"", "receipt": b""}
    connection.execute(table.insert().values(values | {"received_ms": clock.now_ms()}))
    if state == CONTRADICTS:
        seq = min(proof.index, head.size) if claimed.size > head.size else claimed.size
        forks.freeze(connection, hq, clock, head, seq, kept=kept, other=proof.checkpoint)
    return state


def compare(connection: sa.Connection, head: sa.Row[Any], before: Frontier, new: Sequence[bytes]) -> Other | None:
    """Compare what waits with the log as it arrives: the head that contradicts it; else all it reaches agrees.

    before: the tree so far. new: hashes of the leaves that follow.
    """
    table, end = schema.evidence, before.size + len(new)
    query = sa.select(table).where(table.c.log == head.id, table.c.state == WAITING, table.c.size <= end)
    rows = connection.execute(query.order_by(table.c.size)).all()
    frontier = before
    for row in rows:
        frontier = frontier.append_many(new[frontier.size - before.size : row.size - before.size])
        note = Receipt.parse(row.receipt).checkpoint
        if heads.parse(note).root != frontier.root():
            connection.execute(table.update().where(table.c.id == row.id).values(state=CONTRADICTS))
            return Other(row.size, note)
    if rows:
        settled = table.c.id.in_([row.id for row in rows])
        connection.execute(table.update().where(settled).values(state=AGREES, record=b"", receipt=b""))
    return None


def root_at(connection: sa.Connection, head: sa.Row[Any], size: int) -> bytes:
    """The root of the log's first `size` records; hashed anew, from the stored bytes, where that is not the head."""
    if size == head.size:
        return Frontier.from_bytes(head.frontier).root()
    table = schema.records
    query = sa.select(table.c.bytes).where(table.c.log == head.id, table.c.seq < size).order_by(table.c.seq)
    leaves = connection.scalars(query.execution_options(yield_per=1000))
    return Frontier().append_many(leaf_hash(leaf) for leaf in leaves).root()


def _proven(connection: sa.Connection, record: bytes, shown: bytes) -> tuple[Receipt, sa.Row[Any], Checkpoint]:
    """The receipt, and the epoch whose log key signed its head. Raises Refuse."""
    table = schema.epochs
    try:
        proof = Receipt.parse(shown)
        site, epoch = keys.parse_origin(heads.parse(proof.checkpoint).origin)
        query = sa.select(table).where(table.c.site == site, table.c.epoch == epoch).with_for_update()
        head = connection.execute(query).one_or_none()
        if head is None:
            raise Refuse(RefusalCode.UNKNOWN_EPOCH, "receipt", expected="one of a site's log", got=f"{site}/{epoch}")
        proven = receipt.verify(proof, record, keys.log_verifier(site, epoch, head.log_key))
    except Unproven as error:
        raise Refuse(RefusalCode.BAD_SIGNATURE, error.what, expected=error.expected, got=error.got) from None
    return proof, head, proven.checkpoint


def _rival(connection: sa.Connection, head: sa.Row[Any], claimed: Checkpoint) -> bytes | None:
    """Another signed head of the same size that waits here with another root."""
    table = schema.evidence
    same = (table.c.log == head.id) & (table.c.state == WAITING) & (table.c.size == claimed.size)
    for shown in connection.scalars(sa.select(table.c.receipt).where(same)):
        note = Receipt.parse(shown).checkpoint
        if heads.parse(note).root != claimed.root:
            return note
    return None


def _count_waiting(connection: sa.Connection, log: int) -> int:
    table = schema.evidence
    query = sa.select(sa.func.count()).where(table.c.log == log, table.c.state == WAITING)
    return int(connection.execute(query).scalar_one())
