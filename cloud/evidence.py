"""What do records tell that came another way than the log: on a customer's phone, as a receipt?

Each is proven before it is kept: it stands in a head that the site's log key signed. A head that contradicts what is
here freezes the epoch at once. One that is ahead of us waits, and is compared when the log itself arrives; only then is
anything posted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from cloud import forks, schema
from cloud.clock import Clock
from cloud.keys import HqKeys
from cloud.refusal import Refuse
from protocols.proof import checkpoint as heads
from protocols.proof import keys, receipt, receipt_file
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.errors import Unproven
from protocols.proof.receipt_file import ReceiptFile
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.wire import RefusalCode

AGREES, WAITING, CONTRADICTS = "agrees", "waiting", "contradicts"

WAITING_MAX = 1_000
"""Of one log. More would be a site's whole day: its log will tell."""


class Other(NamedTuple):
    """A signed head that is not one of ours. size: at which the roots differ."""

    size: int
    checkpoint: bytes


def add(connection: sa.Connection, hq: HqKeys, clock: Clock, shown: ReceiptFile) -> str:
    """Take in what a receipt proves: AGREES, WAITING or CONTRADICTS. Stored once. Raises Refuse where it proves nothing
    or too many wait.
    """
    head, claimed = _proven(connection, shown)
    table, digest = schema.evidence, _digest(shown, claimed)
    same = sa.select(table.c.state).where(table.c.log == head.id, table.c.digest == digest)
    before = connection.execute(same).scalar()
    if before is not None:
        return str(before)
    state, kept = WAITING, head.cosigned
    if claimed.size <= head.size:
        agrees = root_at(connection, head, claimed.size) == claimed.root  # and so does every record that it proves
        state = AGREES if agrees else CONTRADICTS
    else:
        rival = _rival(connection, head, claimed)
        if rival is not None:
            state, kept = CONTRADICTS, rival
    if state == WAITING and _count_waiting(connection, head.id) >= WAITING_MAX:
        got = f"{WAITING_MAX} that wait"
        raise Refuse(RefusalCode.TOO_MANY, "evidence of this log", expected="its log to arrive", got=got)
    proof = b"" if state == AGREES else replace(shown, view={}, documents=()).to_bytes()
    values = {"log": head.id, "digest": digest, "seq": shown.records[0].proof.index, "size": claimed.size}
    values |= {"state": state, "receipt": proof, "received_ms": clock.now_ms()}
    connection.execute(table.insert().values(values))
    if state == CONTRADICTS:
        forks.freeze(connection, hq, clock, head, claimed.size, kept=kept, other=shown.checkpoint)
    return state


def compare(connection: sa.Connection, head: sa.Row[Any], before: Frontier, new: Sequence[bytes]) -> Other | None:
    """Compare what waits with the log as it arrives: the head that contradicts it; else all it reaches agrees.

    before: the tree so far. new: hashes of the leaves that follow.
    """
    table, end = schema.evidence, before.size + len(new)
    rows = connection.execute(_REACHED, {"log": head.id, "end": end}).all()
    frontier = before
    for row in rows:
        frontier = frontier.append_many(new[frontier.size - before.size : row.size - before.size])
        note = _note(row.receipt)
        if heads.parse(note).root != frontier.root():
            connection.execute(table.update().where(table.c.id == row.id).values(state=CONTRADICTS))
            return Other(row.size, note)
    if rows:
        settled = table.c.id.in_([row.id for row in rows])
        connection.execute(table.update().where(settled).values(state=AGREES, receipt=b""))
    return None


_EVIDENCE = schema.evidence
_REACHED = (
    sa.select(_EVIDENCE)
    .where(
        _EVIDENCE.c.log == sa.bindparam("log"), _EVIDENCE.c.state == WAITING, _EVIDENCE.c.size <= sa.bindparam("end")
    )
    .order_by(_EVIDENCE.c.size)
)


def root_at(connection: sa.Connection, head: sa.Row[Any], size: int) -> bytes:
    """The root of the log's first `size` records; hashed anew, from the stored bytes, where that is not the head."""
    if size == head.size:
        return Frontier.from_bytes(head.frontier).root()
    table = schema.records
    query = sa.select(table.c.bytes).where(table.c.log == head.id, table.c.seq < size).order_by(table.c.seq)
    leaves = connection.scalars(query.execution_options(yield_per=1000))
    return Frontier().append_many(leaf_hash(leaf) for leaf in leaves).root()


def _proven(connection: sa.Connection, shown: ReceiptFile) -> tuple[sa.Row[Any], Checkpoint]:
    """The epoch whose log key signed the receipt's head, held, and that head. Raises Refuse."""
    table = schema.epochs
    try:
        site, epoch = keys.parse_origin(heads.parse(shown.checkpoint).origin)
        query = sa.select(table).where(table.c.site == site, table.c.epoch == epoch).with_for_update(key_share=True)
        head = connection.execute(query).one_or_none()
        if head is None:
            raise Refuse(RefusalCode.UNKNOWN_EPOCH, "receipt", expected="one of a site's log", got=f"{site}/{epoch}")
        log_key = keys.log_verifier(site, epoch, head.log_key)
        proven = [receipt.verify(one.proof, one.data, log_key) for one in shown.records]
    except Unproven as error:
        raise Refuse(RefusalCode.BAD_SIGNATURE, error.what, expected=error.expected, got=error.got) from None
    return head, proven[0].checkpoint


def _digest(shown: ReceiptFile, claimed: Checkpoint) -> bytes:
    """The same for the same head and records, whatever else is written around them."""
    return hashlib.sha256(claimed.text() + b"".join(leaf_hash(one.data) for one in shown.records)).digest()


def _note(stored: bytes) -> bytes:
    return receipt_file.parse(stored, source="stored evidence").checkpoint


def _rival(connection: sa.Connection, head: sa.Row[Any], claimed: Checkpoint) -> bytes | None:
    """Another signed head of the same size that waits here with another root."""
    table = schema.evidence
    same = (table.c.log == head.id) & (table.c.state == WAITING) & (table.c.size == claimed.size)
    for shown in connection.scalars(sa.select(table.c.receipt).where(same)):
        note = _note(shown)
        if heads.parse(note).root != claimed.root:
            return note
    return None


def _count_waiting(connection: sa.Connection, log: int) -> int:
    table = schema.evidence
    query = sa.select(sa.func.count()).where(table.c.log == log, table.c.state == WAITING)
    return int(connection.execute(query).scalar_one())
