"""What is owed back to guests through the channels they paid by, and what has been paid back?

A refund is due the moment it stands in the books: the money has left the account, so nobody can spend it. We number
it; the channel gets that number with the order, so that ordering twice pays once. Somebody at headquarters, or a
program, orders it and says here what the channel answered.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from cloud import hqlog, schema
from cloud.acts import REFERENCE_MAX, Denied
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from protocols.trade import books
from protocols.trade.records import CNY, Effect


@dataclass(frozen=True, slots=True)
class Refund:
    """reference: ours. payment, done: the channel's numbers of what was paid, and of its refund. amount: fen."""

    reference: str
    channel: str
    payment: str
    account: str
    amount: int
    why: str
    due_ms: int
    done: str | None
    done_ms: int | None


def make_due(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    account: str,
    amount: int,
    *,
    channel: str,
    payment: str,
    why: str,
) -> str:
    """Book `amount` of the account's free fen as owed back through `channel`; the refund's reference."""
    table = schema.refunds
    before = connection.execute(sa.select(sa.func.count()).where(table.c.account == account)).scalar_one()
    reference = f"{payment}-r{before + 1}"
    act = Act(account, f"refund {reference}: {why}", [Change(Effect.REFUND_DUE, CNY, channel, amount)])
    serial = hqlog.append(connection, hq, clock, [act])
    log = connection.execute(sa.select(schema.epochs.c.id).where(schema.epochs.c.site == books.HQ)).scalar_one()
    row = {"reference": reference, "account": account, "channel": channel, "payment": payment, "amount": amount}
    row |= {"why": why, "log": log, "seq": serial, "due_ms": clock.now_ms()}
    connection.execute(table.insert().values(row))
    return reference


def done(connection: sa.Connection, hq: HqKeys, clock: Clock, reference: str, channel_reference: str) -> bool:
    """The channel has paid it back under its own number. False: that was said before. Raises Denied."""
    hqlog.lock(connection)
    table = schema.refunds
    row = connection.execute(sa.select(table).where(table.c.reference == reference)).one_or_none()
    if row is None:
        raise Denied(f"no refund {reference!r}", "`fieldtill-hq refund list` lists them.")
    if not 0 < len(channel_reference) <= REFERENCE_MAX:
        raise Denied(f"expected a number of 1 to {REFERENCE_MAX} characters", "Use the channel's number of the refund.")
    if row.done_reference is not None:
        if row.done_reference == channel_reference:
            return False
        raise Denied(
            f"{reference} was paid back as {row.done_reference}",
            "Was it paid twice? Ask the channel before anything else.",
        )
    same = (table.c.channel == row.channel) & (table.c.done_reference == channel_reference)
    other = connection.execute(sa.select(table.c.reference).where(same)).scalar()
    if other is not None:
        raise Denied(f"{channel_reference} is the number of refund {other}", "Each refund has its own number.")
    detail = f"refund {reference} paid back as {channel_reference}"
    hqlog.append(
        connection, hq, clock, [Act(row.account, detail, [Change(Effect.REFUNDED, CNY, row.channel, row.amount)])]
    )
    values = {"done_reference": channel_reference, "done_ms": clock.now_ms()}
    connection.execute(table.update().where(table.c.reference == reference).values(values))
    return True


def show_all(connection: sa.Connection, *, with_done: bool = False) -> list[Refund]:
    """Refunds that are due, the oldest first; with those paid back already."""
    table = schema.refunds
    query = sa.select(table).order_by(table.c.due_ms, table.c.seq)
    if not with_done:
        query = query.where(table.c.done_ms.is_(None))
    return [
        Refund(
            row.reference,
            row.channel,
            row.payment,
            row.account,
            row.amount,
            row.why,
            row.due_ms,
            row.done_reference,
            row.done_ms,
        )
        for row in connection.execute(query)
    ]
