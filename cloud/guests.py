"""A guest pays by phone for one session. How does the payment reach the site, and what is left of it the guest?

    paid ──► account of its own, without a card ──► all of it granted to one site, with a code that starts once
      │                                                │
      │ no open epoch there                            │ the session ends: the site returns what was not used
      ▼                                                ▼
    refund due ◄── in the same transaction ────────  free again
      ▲
      └── the site stays silent: the operator lends it, and bears what was delivered there after all

A guest's money is never free between two transactions, so nobody can spend what is being paid back. The code's start
has the number 1 and no other follows: one payment, one session. A code that was not used in time is undone by freezing
the account: its site then returns everything when it hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud import accounts, carried, grants, hqlog, loans, refunds, schema, sites
from cloud.accounts import GUEST, Limits
from cloud.acts import Denied
from cloud.carried import Code, Order
from cloud.clock import Clock
from cloud.keys import HqKeys
from cloud.posting import Log
from cloud.store import reading, writing
from protocols.trade.records import CNY, Preset

NOT_GRANTED = "not-granted"
UNUSED = "unused"
SILENT_SITE = "silent-site"
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Paid:
    """code: for the guest's phone; None where the site cannot serve, and `refund` is due instead."""

    account: str
    code: Code | None
    refund: str | None
    repeated: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A payment whose session has not ended, as far as headquarters knows. amount: fen."""

    account: str
    site: str
    connector: str
    channel: str
    reference: str
    amount: int
    paid_ms: int
    starts_until_ms: int


@dataclass(frozen=True, slots=True)
class Tended:
    """expired: accounts whose start came to nothing in time. lent: refunds due because a site is silent."""

    expired: list[str]
    lent: list[str]
    sites: frozenset[str]


def pay(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    *,
    channel: str,
    reference: str,
    amount: int,
    site: str,
    connector: str,
) -> Paid:
    """`amount` fen have been paid through `channel` for one session. reference: the channel's number of the payment; a
    repeat is answered with the same code. Raises Denied, and then nothing was booked.
    """
    hqlog.lock(connection)
    table = schema.guests
    before = connection.execute(sa.select(table).where(table.c.reference == reference)).one_or_none()
    if before is not None:
        if (before.channel, before.amount, before.site, before.connector) != (channel, amount, site, connector):
            raise Denied(f"payment {reference} was for another session", "Look it up: fieldtill-hq guest list.")
        return _again(connection, before)
    accounts.require_payment(amount, channel)
    heard = sites.require(connection, site).status == "admitted"
    if not connector:
        raise Denied("expected the name of a connector, got nothing", "It stands on the charger.")
    account = accounts.open_account(
        connection, hq, clock, home_site=None, class_=GUEST, limits=Limits(amount, 0, amount)
    )
    accounts.pay_in_guest(connection, hq, clock, account, amount, channel=channel, reference=reference)
    made = grants.provide(connection, hq, clock, account, site, CNY, amount, whole=True) if heard else None
    granted = made is not None and made.step == amount
    now_ms = clock.now_ms()
    row = {"account": account, "reference": reference, "channel": channel, "amount": amount, "site": site}
    row |= {"connector": connector, "paid_ms": now_ms, "starts_until_ms": now_ms + carried.START_LIFE_S * 1000}
    row |= {"log": made.log if made is not None and granted else None, "settled_ms": None if granted else now_ms}
    connection.execute(table.insert().values(row))
    if made is None or not granted:
        due = refunds.make_due(
            connection, hq, clock, account, amount, channel=channel, payment=reference, why=NOT_GRANTED
        )
        return Paid(account, None, due, False)
    order = Order(connector, Preset("full", 0))
    code = carried.write(connection, hq, clock, made, account, reference=reference, order=order)
    return Paid(account, code, None, False)


def waiting_at(connection: sa.Connection, log: int) -> set[str]:
    """The guests whose payment lies at this log."""
    return set(connection.scalars(_WAITING_AT, {"log": log}))


_WAITING_AT = sa.select(schema.guests.c.account).where(
    schema.guests.c.log == sa.bindparam("log"), schema.guests.c.settled_ms.is_(None)
)


def settle(connection: sa.Connection, hq: HqKeys, clock: Clock, log: int, why: str = UNUSED) -> list[str]:
    """What has become free of the guests' money at this log is owed back; who has nothing out there is settled. The
    references of the refunds.

    In the transaction that frees it, after the operator has had back what it lent; the caller holds both logs.
    """
    guests, leases = schema.guests, schema.leases
    rest = leases.c.granted - leases.c.used - leases.c.returned - leases.c.freed
    query = (
        sa.select(guests, rest.label("rest"))
        .join(leases, (leases.c.log == guests.c.log) & (leases.c.account == guests.c.account))
        .where(guests.c.log == log, guests.c.settled_ms.is_(None), leases.c.asset == CNY)
        .order_by(guests.c.account)
    )
    rows = connection.execute(query).all()
    free = grants.free_of(connection, [row.account for row in rows], CNY)
    due: list[str] = []
    for row in rows:
        if free.get(row.account, 0) > 0:
            to, payment = row.channel, row.reference
            amount = free[row.account]
            due.append(
                refunds.make_due(connection, hq, clock, row.account, amount, channel=to, payment=payment, why=why)
            )
    ended = [row.account for row in rows if row.rest == 0]
    if ended:
        table = schema.guests
        change = table.update().where(table.c.account.in_(ended))
        connection.execute(change.values(settled_ms=clock.now_ms()))
    return due


def tend(engine: sa.Engine, hq: HqKeys, clock: Clock, refund_after_h: int) -> Tended:
    """What time brings about: codes that were not used are undone, and guests at sites that have been silent for
    `refund_after_h` hours (0: never) since they paid get their money from the operator. Repeated, it does nothing.
    """
    now_ms = clock.now_ms()
    expired: list[str] = []
    told: set[str] = set()
    with reading(engine) as connection:
        waiting = _waiting(connection)
        silent = {row.log for row in waiting if refund_after_h and _silent_ms(row, now_ms) >= refund_after_h * HOUR_MS}
    late = [row for row in waiting if row.starts_until_ms < now_ms and row.status == "open"]
    if late:
        with writing(engine) as connection:
            for row in late:
                told |= accounts.set_status(connection, hq, clock, row.account, "frozen").sites
                expired.append(row.account)
    lent = [one for log in sorted(silent) for one in _lend(engine, hq, clock, log, refund_after_h)]
    return Tended(expired, lent, frozenset(told))


def show_waiting(connection: sa.Connection) -> list[Waiting]:
    """The oldest payment first."""
    return [
        Waiting(
            row.account,
            row.site,
            row.connector,
            row.channel,
            row.reference,
            row.amount,
            row.paid_ms,
            row.starts_until_ms,
        )
        for row in _waiting(connection)
    ]


def _again(connection: sa.Connection, row: sa.Row[Any]) -> Paid:
    table = schema.refunds
    query = sa.select(table.c.reference).where(table.c.account == row.account).order_by(table.c.due_ms).limit(1)
    due = connection.execute(query).scalar()
    code = None if row.log is None else carried.again(connection, row.reference)
    return Paid(row.account, code, due, True)


def _lend(engine: sa.Engine, hq: HqKeys, clock: Clock, log: int, refund_after_h: int) -> list[str]:
    """Pay back what lies at one silent log. Its own transaction: heads of logs are locked one at a time."""
    with writing(engine) as connection:
        epoch = connection.execute(
            sa.select(schema.epochs).where(schema.epochs.c.id == log).with_for_update(key_share=True)
        ).one()
        now_ms, most_ms = clock.now_ms(), refund_after_h * HOUR_MS
        silent = [row.account for row in _waiting(connection, log) if _silent_ms(row, now_ms) >= most_ms]
        if not loans.lend(connection, hq, clock, Log(epoch.id, epoch.site, epoch.epoch), silent):
            return []
        return settle(connection, hq, clock, log, SILENT_SITE)


def _waiting(connection: sa.Connection, log: int | None = None) -> list[sa.Row[Any]]:
    guests, epochs, table = schema.guests, schema.epochs, schema.accounts
    query = (
        sa.select(guests, epochs.c.seen_ms, table.c.status)
        .join(epochs, epochs.c.id == guests.c.log)
        .join(table, table.c.id == guests.c.account)
        .where(guests.c.settled_ms.is_(None))
        .order_by(guests.c.paid_ms, guests.c.account)
    )
    return list(connection.execute(query if log is None else query.where(guests.c.log == log)))


def _silent_ms(row: sa.Row[Any], now_ms: int) -> int:
    """For how long nothing has been heard of the site since the guest paid."""
    return now_ms - int(max(row.paid_ms, row.seen_ms or 0))
