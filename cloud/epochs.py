"""How does the life of one log stand, and how does it end? Open, lost, frozen, closed.

    open ──CLOSE in its log──► closed       every lease is emptied in the same transaction; nothing may follow
      │ ▲                         ▲
      │ └──found────┐             │
      └──lost──────►lost──CLOSE───┘         no new grants; what it holds stays in its leases until its records tell
      └──two signed heads that differ──► frozen      for good; see cloud.forks

A person says `lost` and `found`; the log itself says CLOSE; only that frees what a site may have. Every change is a
record of headquarters' own log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud import guests, hqlog, key_directory, loans, schema
from cloud.acts import Denied
from cloud.clock import Clock
from cloud.key_directory import DEVICE, LOG, Key
from cloud.keys import HqKeys
from cloud.posting import Log
from cloud.store import reading, writing
from protocols.proof import keys
from protocols.trade import books
from protocols.trade.records import CNY, Effect, EpochMarked

DAY_MS = 86_400_000
OPEN, LOST, FROZEN, CLOSED = "open", "lost", "frozen", "closed"


@dataclass(frozen=True, slots=True)
class EpochNow:
    """A log's life as headquarters knows it. CNY alone, in fen.

    superseded: the site has a newer epoch. held_fen: in its leases. lent_fen: of that, and of what it has sold since,
    paid to customers by the operator. silent_s: since its box was last heard; None for never.
    """

    site: str
    epoch: int
    state: str
    why: str
    since_ms: int
    superseded: bool
    records: int
    accounts: int
    held_fen: int
    lent_fen: int
    silent_s: int | None


def mark_lost(connection: sa.Connection, hq: HqKeys, clock: Clock, site: str, epoch: int, why: str) -> bool:
    """Wait for this box no longer: it gets no more grants, and its customers may be paid by a loan. False: it was lost
    already. Raises Denied.
    """
    row = require(connection, site, epoch)
    if row.state == LOST:
        return False
    if row.state != OPEN:
        raise Denied(f"{site}/{epoch} is {row.state}: {row.state_why}", "Only an open epoch can be lost.")
    mark(connection, hq, clock, row, LOST, why, kept=row.cosigned)
    return True


def mark_found(connection: sa.Connection, hq: HqKeys, clock: Clock, site: str, epoch: int) -> bool:
    """The box is there again and sells on: grants go to it as before, if it is the site's newest. What was lent stays
    out until the log tells more. False: it was not lost. Raises Denied.
    """
    row = require(connection, site, epoch)
    if row.state == OPEN:
        return False
    if row.state != LOST:
        raise Denied(f"{site}/{epoch} is {row.state}: {row.state_why}", "Only a lost epoch can be found.")
    mark(connection, hq, clock, row, OPEN, "found", kept=row.cosigned)
    return True


def close(connection: sa.Connection, hq: HqKeys, clock: Clock, head: sa.Row[Any], reason: str, cosigned: bytes) -> None:
    """The log's last record says that it holds nothing: free its leases. In the ingest's transaction."""
    loans.settle(connection, hq, clock, Log(head.id, head.site, head.epoch))
    mark(connection, hq, clock, head, CLOSED, reason, kept=cosigned)
    key_directory.retire(connection, hq, clock, Key(LOG, f"{head.site}/{head.epoch}", head.log_key))
    if not _device_signs_on(connection, head):
        key_directory.retire(connection, hq, clock, Key(DEVICE, head.site, head.device_key))


def mark(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    row: sa.Row[Any],
    state: str,
    why: str,
    *,
    kept: bytes,
    other: bytes = b"",
) -> None:
    """Say a new state in headquarters' log and in the epoch's row, which the caller's transaction holds."""
    hqlog.append(connection, hq, clock, [EpochMarked(row.site, row.epoch, state, why, kept, other)])
    epochs = schema.epochs
    values = {"state": state, "state_why": "" if state == OPEN else why, "state_ms": clock.now_ms()}
    connection.execute(epochs.update().where(epochs.c.id == row.id).values(values))


def lend(
    connection: sa.Connection, hq: HqKeys, clock: Clock, site: str, epoch: int, account: str | None = None
) -> dict[loans.Held, int]:
    """Pay customers what lies at a lost or frozen epoch, once. account: this one alone. Raises Denied."""
    row = require(connection, site, epoch)
    if row.state not in (LOST, FROZEN):
        remedy = f"Say first that it is lost: fieldtill-hq epoch lost {site} {epoch} --why ..."
        raise Denied(f"{site}/{epoch} is {row.state}", remedy)
    accounts = None if account is None else [account]
    lent = loans.lend(connection, hq, clock, Log(row.id, row.site, row.epoch), accounts)
    guests.settle(connection, hq, clock, row.id, guests.SILENT_SITE)
    return lent


def tend(engine: sa.Engine, hq: HqKeys, clock: Clock, loan_after_days: int) -> list[str]:
    """Lend what lies at epochs that have been lost for so many days, each in a transaction of its own. 0: never.

    The `site/epoch`s at which something was lent.
    """
    if not loan_after_days:
        return []
    epochs, until_ms = schema.epochs, clock.now_ms() - loan_after_days * DAY_MS
    with reading(engine) as connection:
        query = sa.select(epochs.c.site, epochs.c.epoch).where(epochs.c.state == LOST, epochs.c.state_ms <= until_ms)
        due = [tuple(row) for row in connection.execute(query.order_by(epochs.c.id))]
    lent: list[str] = []
    for site, epoch in due:
        with writing(engine) as connection:
            still_lost = require(connection, site, epoch).state == LOST
            if still_lost and lend(connection, hq, clock, site, epoch):
                lent.append(f"{site}/{epoch}")
    return lent


def _device_signs_on(connection: sa.Connection, head: sa.Row[Any]) -> bool:
    """Is the box of this epoch still admitted for its site, or has it another log there that may go on?"""
    sites, epochs = schema.sites, schema.epochs
    admitted = connection.execute(sa.select(sites.c.device).where(sites.c.id == head.site)).scalar_one()
    if keys.fingerprint(head.device_key) == admitted:
        return True
    others = sa.select(epochs.c.id).where(epochs.c.site == head.site, epochs.c.device_key == head.device_key)
    return connection.execute(others.where(epochs.c.state != CLOSED).limit(1)).one_or_none() is not None


# --- looking ---------------------------------------------------------------------------------------------------------


def require(connection: sa.Connection, site: str, epoch: int) -> sa.Row[Any]:
    """The epoch's row, held to the end of a transaction that writes. Raises Denied."""
    epochs = schema.epochs
    query = sa.select(epochs).where(epochs.c.site == site, epochs.c.epoch == epoch).with_for_update(key_share=True)
    row = connection.execute(query).one_or_none() if site != books.HQ else None
    if row is None:
        raise Denied(f"no epoch {epoch} of {site!r}", "`fieldtill-hq epoch list` lists them.")
    return row


def newest(connection: sa.Connection, site: str) -> sa.Row[Any]:
    """The site's newest epoch, held. Raises Denied."""
    epochs = schema.epochs
    query = (
        sa.select(epochs)
        .where(epochs.c.site == site)
        .order_by(epochs.c.epoch.desc())
        .limit(1)
        .with_for_update(key_share=True)
    )
    row = connection.execute(query).one_or_none() if site != books.HQ else None
    if row is None:
        raise Denied(f"{site!r} has no epoch", "Its box has to enrol first.")
    return row


def show_all(connection: sa.Connection, now_ms: int, site: str | None = None) -> list[EpochNow]:
    """Every epoch of every site, or of this one, oldest first."""
    epochs, leases, counters = schema.epochs, schema.leases, schema.counters
    query = sa.select(epochs).where(epochs.c.site != books.HQ).order_by(epochs.c.site, epochs.c.epoch)
    if site is not None:
        query = query.where(epochs.c.site == site)
    rows = connection.execute(query).all()
    newest = {row.site: row.epoch for row in rows}
    rest = leases.c.granted - leases.c.used - leases.c.returned - leases.c.freed
    sums = sa.select(leases.c.log, sa.func.count(), sa.func.sum(rest)).where(leases.c.asset == CNY, rest > 0)
    held = {log: (count, int(total)) for log, count, total in connection.execute(sums.group_by(leases.c.log))}
    signed = sa.case((counters.c.effect == Effect.LOANED, counters.c.total), else_=-counters.c.total)
    lent_at = (
        sa.select(counters.c.place, sa.func.sum(signed))
        .join_from(counters, epochs, counters.c.log == epochs.c.id)
        .where(epochs.c.site == books.HQ, counters.c.asset == CNY)
        .where(counters.c.effect.in_([Effect.LOANED, Effect.CHARGED, Effect.REPAID]))
        .group_by(counters.c.place)
    )
    lent = {place: int(total) for place, total in connection.execute(lent_at)}
    return [
        EpochNow(
            site=row.site,
            epoch=row.epoch,
            state=row.state,
            why=row.state_why,
            since_ms=row.opened_ms if row.state_ms is None else row.state_ms,
            superseded=row.epoch < newest[row.site],
            records=row.size,
            accounts=held.get(row.id, (0, 0))[0],
            held_fen=held.get(row.id, (0, 0))[1],
            lent_fen=lent.get(f"{row.site}/{row.epoch}", 0),
            silent_s=None if row.seen_ms is None else (now_ms - row.seen_ms) // 1000,
        )
        for row in rows
    ]
