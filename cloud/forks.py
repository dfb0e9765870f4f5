"""What if one log was signed in two versions? The epoch freezes, both signed heads are kept, and nobody's books wait.

What was here first stays posted. The other branch is stored beside, and so is whatever else comes from a frozen epoch:
neither box can be told from its clone. Goods were delivered on it all the same, so a person books what it captured to
the operator's risk; a customer is charged for it only by a linked adjustment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from cloud import epochs, hqlog, loans, schema
from cloud.acts import Denied
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from cloud.loans import Held
from cloud.posting import Log
from cloud.refusal import refusal
from protocols.proof import checkpoint, keys
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.errors import Malformed, Unproven
from protocols.proof.tree import Frontier
from protocols.trade import books
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.records import RISK, Effect, Move, Record
from protocols.trade.wire import BATCH_BYTES_MAX, Batch, Refusal, RefusalCode

CHECKPOINT_BYTES_MAX = 4096  # a log signs with one key; a checkpoint with its cosignature has some 350 bytes
BOOKED = "branches booked"
"""Begins the reason of a frozen epoch whose branches a person has had booked."""
KEPT_BATCHES_MAX = 200
"""Batches kept of one frozen epoch: a box that asks each quarter of an hour fills them in two days."""


def freeze(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    head: sa.Row[Any],
    seq: int,
    *,
    kept: bytes,
    other: bytes,
    batch: bytes = b"",
) -> str:
    """Two signed heads cannot both be true: keep them and freeze the epoch. Why, for a person.

    seq: of the first record that differs, or the size at which the roots do. batch: the later branch as it came; empty
    where only its head is known. In the caller's transaction, which holds the epoch's head.
    """
    why = f"record {seq} or one before it is not what it was"
    _keep(connection, head, seq, kept, other, batch, clock.now_ms())
    if head.state != epochs.FROZEN:
        epochs.mark(connection, hq, clock, head, epochs.FROZEN, why, kept=kept, other=other)
    return why


def look_at(
    connection: sa.Connection, hq: HqKeys, clock: Clock, head: sa.Row[Any], shown: bytes
) -> Checkpoint | Refusal:
    """The head that a request shows, signed by the log key; or why it is refused: it is no such head, or another one
    than ours of the same size, which freezes the epoch. One of another size is for the next batch to tell.
    """
    try:
        claimed = read_head(head, shown)
    except Unproven as error:
        name = keys.origin(head.site, head.epoch)
        return refusal(
            RefusalCode.WRONG_CHECKPOINT,
            f"checkpoint of {name}",
            expected=error.expected,
            got=error.got,
            size=head.size,
        )
    if head.state == epochs.FROZEN or claimed.size != head.size:
        return claimed
    if claimed.root == Frontier.from_bytes(head.frontier).root():
        return claimed
    table = schema.epochs  # held before headquarters' log, and looked at again: a batch may have come in between
    held = connection.execute(sa.select(table).where(table.c.id == head.id).with_for_update(key_share=True)).one()
    if held.size == claimed.size and held.state != epochs.FROZEN:
        freeze(connection, hq, clock, held, held.size, kept=held.cosigned, other=shown)
    expected = f"the log whose first {held.size} records are here"
    return refusal(RefusalCode.FORK, "log", expected=expected, got="another head of the same size", size=held.size)


def read_head(head: sa.Row[Any], shown: bytes) -> Checkpoint:
    """The head in a note that this epoch's log key signed. Raises Unproven."""
    if len(shown) > CHECKPOINT_BYTES_MAX:
        raise Malformed("checkpoint", expected=f"{CHECKPOINT_BYTES_MAX} bytes", got=str(len(shown)))
    return checkpoint.verify_checkpoint(shown, keys.log_verifier(head.site, head.epoch, head.log_key))


def keep_beside(connection: sa.Connection, head: sa.Row[Any], batch: Batch, body: bytes, now_ms: int) -> None:
    """Keep what a frozen epoch's log key signed and sends, once, for a person to book."""
    table = schema.forks
    mine = sa.select(table.c.other).where(table.c.log == head.id, sa.func.length(table.c.batch) > 0)
    others = connection.scalars(mine).all()
    if batch.records and batch.checkpoint not in others and len(others) < KEPT_BATCHES_MAX:
        _keep(connection, head, batch.first_seq, head.cosigned, batch.checkpoint, body, now_ms)


def book_branch(connection: sa.Connection, hq: HqKeys, clock: Clock, site: str, epoch: int) -> dict[Held, int]:
    """Book what the kept branches captured beyond the log: the operator owes it to the site's revenue. What is new.

    Repeated, it books what has been kept since, or nothing. Raises Denied.
    """
    row = epochs.require(connection, site, epoch)
    if row.state != epochs.FROZEN:
        raise Denied(f"{site}/{epoch} is {row.state}", "Only a frozen epoch has a branch.")
    hqlog.lock(connection)
    place = loans.place_of(Log(row.id, site, epoch))
    booked = loans.totals(connection, Effect.FORKED, place)
    acts: list[Act] = []
    new: dict[Held, int] = {}
    for held, captured in sorted(captures(branch(connection, row)).items()):
        more = captured - booked.get(held, 0)
        if more > 0:
            new[held] = more
            change = Change(Effect.FORKED, held.asset, place, more)
            acts.append(Act(held.account, f"captured on another branch of {place}", [change]))
    if acts:
        hqlog.append(connection, hq, clock, acts)
    if not row.state_why.startswith(BOOKED):  # somebody has looked at it, be there nothing to book
        why = f"{BOOKED}: {row.state_why}"
        epochs.mark(connection, hq, clock, row, epochs.FROZEN, why, kept=row.cosigned)
    return new


def branch(connection: sa.Connection, head: sa.Row[Any]) -> Iterator[Record]:
    """Every record that came with a kept batch and is not the log's own, each once; those that can be read."""
    table, records = schema.forks, schema.records
    seen: set[tuple[int, bytes]] = set()
    query = sa.select(table.c.batch).where(table.c.log == head.id).order_by(table.c.id)
    for body in connection.scalars(query):
        try:
            batch = decode(bytes(body), Batch, bytes_max=BATCH_BYTES_MAX)
        except NotCanonical:
            continue  # a head alone
        end = batch.first_seq + len(batch.records)
        own = sa.select(records.c.seq, records.c.bytes).where(
            records.c.log == head.id, records.c.seq >= batch.first_seq, records.c.seq < end
        )
        ours: dict[int, bytes] = {row.seq: row.bytes for row in connection.execute(own)}
        for seq, leaf in enumerate(batch.records, batch.first_seq):
            if ours.get(seq) == leaf or (seq, leaf) in seen:
                continue
            seen.add((seq, leaf))
            try:
                yield decode(leaf, Record)
            except NotCanonical:
                continue  # its bytes are kept


def captures(records: Iterable[Record]) -> dict[Held, int]:
    """What these records captured, by whose it was. An account that the books could not hold is the operator's.

    A deposit is no revenue: the account whose pack is out on a branch still has it.
    """
    found: dict[Held, int] = {}
    for record in records:
        for move in record.moves:
            sold = move.effect == Effect.USED and move.asset not in books.DEPOSITS
            if sold and move.amount and "\x00" not in move.asset:
                held = Held(move.account if _bookable(move) else RISK, move.asset)
                found[held] = found.get(held, 0) + move.amount
    return found


def _bookable(move: Move) -> bool:
    return ":" not in move.account and "\x00" not in move.account


def _keep(
    connection: sa.Connection, head: sa.Row[Any], seq: int, kept: bytes, other: bytes, batch: bytes, now_ms: int
) -> None:
    row = {"log": head.id, "seq": seq, "kept": kept, "other": other, "batch": batch, "received_ms": now_ms}
    connection.execute(schema.forks.insert().values(row))
