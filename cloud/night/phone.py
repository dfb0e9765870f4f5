"""What of the payments by phone is not at its end on this date? Refunds that are owed, and guests whose session is not.

How much stands in headquarters' log up to its pin; the rows beside it tell since when, and never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import sqlalchemy as sa

from cloud import bulk, schema
from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.report_model import GuestsWaiting, RefundsDue
from protocols.trade.books import Books, CounterKey
from protocols.trade.records import CNY, Effect

DAY_MS = 86_400_000
_SIGNS: Mapping[str, int] = {Effect.REFUND_DUE: 1, Effect.REFUNDED: -1}


def refunds_due(
    connection: sa.Connection, size: int, counters: Mapping[CounterKey, int], ends_ms: int
) -> list[RefundsDue]:
    """By channel. size, counters: of headquarters' log as pinned. ends_ms: to which ages count."""
    table, owed = schema.refunds, dict[tuple[str, str], int]()
    for key, total in counters.items():
        sign = _SIGNS.get(key.effect, 0)
        if sign and key.asset == CNY:
            owed[key.account, key.place] = owed.get((key.account, key.place), 0) + sign * total
    found: dict[str, list[tuple[int, int]]] = {}
    for row in connection.execute(sa.select(table).where(table.c.seq < size).order_by(table.c.seq.desc())):
        rest = owed.get((row.account, row.channel), 0)
        if rest > 0:  # the newest are those not paid back
            owed[row.account, row.channel] = rest - row.amount
            found.setdefault(row.channel, []).append((min(rest, row.amount), row.due_ms))
    return [
        RefundsDue(
            channel=channel,
            refunds=len(its),
            amount_fen=sum(amount for amount, _ in its),
            since_ms=min(due_ms for _, due_ms in its),
            age_days=max(0, (ends_ms - min(due_ms for _, due_ms in its)) // DAY_MS),
        )
        for channel, its in sorted(found.items())
    ]


def guests_waiting(connection: sa.Connection, books: Books, ends_ms: int) -> list[GuestsWaiting]:
    """By site: payments that lie there, as far as its log has told."""
    held: dict[tuple[str, str], int] = {}
    for (code, asset), balance in books.items():
        if code.startswith("lease:") and asset == CNY and balance.owed:
            account, site, _ = code.removeprefix("lease:").rsplit(":", 2)
            held[account, site] = balance.owed
    table, found = schema.guests, dict[str, list[tuple[int, int]]]()
    accounts = sorted({account for account, _ in held})
    query = sa.select(table.c.account, table.c.site, table.c.paid_ms).where(bulk.among(table.c.account, "accounts"))
    for row in connection.execute(query.order_by(table.c.account), {"accounts": accounts}):
        if (row.account, row.site) in held:
            found.setdefault(row.site, []).append((held[row.account, row.site], row.paid_ms))
    return [
        GuestsWaiting(
            site=site,
            guests=len(its),
            amount_fen=sum(amount for amount, _ in its),
            age_days=max(0, (ends_ms - min(paid_ms for _, paid_ms in its)) // DAY_MS),
        )
        for site, its in sorted(found.items())
    ]


def reconcile_refunds(due: Iterable[RefundsDue]) -> Iterator[Finding]:
    """Somebody has to order them: one finding for each channel."""
    for it in due:
        yield Finding(
            code="refund-due",
            leg=Leg.LIABILITY,
            site="",
            subject=f"refund:{it.channel}",
            source="headquarters' log / `fieldtill-hq refund list`",
            detail=f"{it.refunds} refunds, {it.amount_fen} fen, are owed through {it.channel}",
            since_ms=it.since_ms,
        )
