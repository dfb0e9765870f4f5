"""What plans of swaps are sold, and how do their swaps come to where their riders swap?

A plan is an asset of its own, which the swap terms of sites name: N swaps, or as many as one likes to a date. A share
of its daily number waits at each of its sites, so that it works with the link down; what was not used yesterday counts
for today, for a share is topped up and never added to. With the link up any site may ask for more. A plan that has
ended opens no session: its grants say so, and what is left of it lapses when it is back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud import acts, grants, hqlog, plan_supply, schema, shares
from cloud.accounts import require_account, require_named, require_payment
from cloud.acts import Denied
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from cloud.plan_supply import ISSUED
from cloud.sites import require
from cloud.store import reading, writing
from protocols.trade import books
from protocols.trade.quantities import largest_remainder, yuan
from protocols.trade.records import CNY, Effect

DAILY_MAX = 288
"""Swaps a day: one every five minutes. More is a slip of the finger."""
SWAPS_MAX = 100_000
SITES_MAX = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """swaps: sold; 0: as many as one likes until until_s. daily: waiting at all its sites together. until_s: Unix time;
    0: no end. sites: in the order in which an odd swap goes to them.
    """

    reference: str
    account: str
    asset: str
    swaps: int
    daily: int
    sites: tuple[str, ...]
    until_s: int

    @property
    def shares(self) -> dict[str, int]:
        """What waits at each site: the daily number in equal parts, an odd one at the first sites."""
        parts = largest_remainder(self.daily, [1] * len(self.sites)) if self.sites else []
        return dict(zip(self.sites, parts, strict=True))


@dataclass(frozen=True, slots=True)
class Sold:
    """serial: of the record that did it. repeated: it was done before under this reference."""

    serial: int
    repeated: bool
    sites: frozenset[str]


@dataclass(frozen=True, slots=True)
class Tended:
    """ended: references of plans that have ended. lapsed: units taken off. sites: with new grants."""

    ended: list[str]
    lapsed: int
    sites: frozenset[str]


def sell(
    connection: sa.Connection, hq: HqKeys, clock: Clock, plan: Plan, *, price_fen: int, channel: str | None
) -> Sold:
    """Sell a plan for the account's free money or, with a channel, for what has just been paid through it.

    A repeat of the reference does nothing. Raises Denied, and then nothing was booked.
    """
    hqlog.lock(connection)
    _check(connection, clock, plan)
    ordered = ("plan", plan.account, plan.asset, plan.swaps, plan.daily, *plan.sites, plan.until_s, price_fen, channel)
    before = acts.done_before(connection, plan.reference, ordered)
    if before is not None:
        return Sold(before, True, frozenset())
    changes: list[Change] = []
    if channel is not None and price_fen:
        require_payment(price_fen, channel)
        changes.append(Change(Effect.PAID_IN, CNY, channel, price_fen))
    elif (free := grants.free_of(connection, [plan.account], CNY).get(plan.account, 0)) < price_fen:
        raise Denied(f"{yuan(free)} yuan are free, {yuan(price_fen)} are needed", "Top up, or name --channel.")
    if price_fen:
        changes.append(Change(Effect.SOLD, CNY, plan.asset, price_fen))
    if plan.swaps:
        changes.append(Change(Effect.PAID_IN, plan.asset, ISSUED, plan.swaps))
    serial = hqlog.append(
        connection, hq, clock, [Act(plan.account, f"plan {plan.asset}, reference {plan.reference}", changes)]
    )
    acts.note(connection, plan.reference, ordered, serial)
    log = connection.execute(sa.select(schema.epochs.c.id).where(schema.epochs.c.site == books.HQ)).scalar_one()
    row = {"reference": plan.reference, "account": plan.account, "asset": plan.asset, "swaps": plan.swaps}
    row |= {"daily": plan.daily, "sites": " ".join(plan.sites), "until_s": plan.until_s}
    connection.execute(schema.plans.insert().values({**row, "log": log, "seq": serial, "sold_ms": clock.now_ms()}))
    return Sold(serial, False, frozenset(_place(connection, hq, clock, plan)))


def running(connection: sa.Connection, now_s: int, account: str | None = None) -> list[Plan]:
    """Those that have not ended, by account and date of sale."""
    table = schema.plans
    query = sa.select(table).where(sa.or_(table.c.until_s == 0, table.c.until_s > now_s))
    if account is not None:
        query = query.where(table.c.account == account)
    return [_plan(row) for row in connection.execute(query.order_by(table.c.account, table.c.sold_ms, table.c.seq))]


def tend(engine: sa.Engine, hq: HqKeys, clock: Clock) -> Tended:
    """Bring each running plan's shares to its sites, end those whose date has come, and let lapse what is left of them.
    Run again, it does nothing.
    """
    now_s = clock.now_ms() // 1000
    with reading(engine) as connection:
        plans, ended = running(connection, now_s), _to_end(connection, now_s)
        short = [plan for plan in plans if shares.lacking_at(connection, plan.account, plan.asset, plan.shares)]
        left = _left(connection, now_s)
    told: set[str] = set()
    for plan in short:
        with writing(engine) as connection:
            told |= _place(connection, hq, clock, plan)
    if ended:
        table = schema.plans
        with writing(engine) as connection:
            change = table.update().where(table.c.reference.in_(ended), table.c.ended_ms.is_(None))
            connection.execute(change.values(ended_ms=clock.now_ms()))
    lapsed = 0
    for account, asset in left:
        with writing(engine) as connection:
            lapsed += _lapse(connection, hq, clock, account, asset)
    return Tended(ended, lapsed, frozenset(told))


def place_at(connection: sa.Connection, hq: HqKeys, clock: Clock, site: str) -> set[str]:
    """Bring the shares of a site whose epoch has just begun; the sites with new grants."""
    here = [plan for plan in running(connection, clock.now_ms() // 1000) if site in plan.sites]
    return {told for plan in here for told in _place(connection, hq, clock, plan)}


def _check(connection: sa.Connection, clock: Clock, plan: Plan) -> None:
    """Return if it can be sold. Raises Denied."""
    require_named(require_account(connection, plan.account))
    for site in plan.sites:
        require(connection, site)
    if plan.asset == CNY or plan.asset in books.DEPOSITS or not plan.asset.isprintable() or ":" in plan.asset:
        raise Denied(f"expected the name of a plan's asset, got {plan.asset!r}", "Like swaps-30; swap terms name it.")
    if not 0 <= plan.swaps <= SWAPS_MAX or (plan.swaps == 0 and plan.until_s == 0):
        raise Denied(f"expected 1 to {SWAPS_MAX} swaps, or a date", "A plan is counted, or ends on a day.")
    if plan.until_s and plan.until_s <= clock.now_ms() // 1000:
        raise Denied("expected a date that is to come", "Name the first day on which it is over.")
    if not 0 <= plan.daily <= DAILY_MAX or (plan.swaps == 0 and plan.daily == 0):
        raise Denied(f"expected 1 to {DAILY_MAX} swaps a day, got {plan.daily}", "One for each interval is enough.")
    if len(plan.sites) > SITES_MAX or len(set(plan.sites)) != len(plan.sites):
        raise Denied(f"expected each site once, at most {SITES_MAX}", "Name those where the rider swaps.")


def _place(connection: sa.Connection, hq: HqKeys, clock: Clock, plan: Plan) -> set[str]:
    hqlog.lock(connection)
    account = require_account(connection, plan.account)
    if account.status != "open":
        return set()
    wanted = plan.shares
    if plan.swaps == 0:
        lacking = shares.lacking_at(connection, plan.account, plan.asset, wanted)
        free = grants.free_of(connection, [plan.account], plan.asset).get(plan.account, 0)
        plan_supply.supply(connection, hq, clock, plan.account, plan.asset, lacking - free, free)
    return shares.wait_at(connection, hq, clock, plan.account, plan.asset, wanted)


def _to_end(connection: sa.Connection, now_s: int) -> list[str]:
    table = schema.plans
    over = (table.c.until_s > 0) & (table.c.until_s <= now_s) & table.c.ended_ms.is_(None)
    return list(connection.scalars(sa.select(table.c.reference).where(over).order_by(table.c.reference)))


def _left(connection: sa.Connection, now_s: int) -> Sequence[tuple[str, str]]:
    """(account, asset) of plans that have all ended, and of which something is free again."""
    table, ledger = schema.plans, schema.ledger
    live = sa.select(table.c.account, table.c.asset).where(sa.or_(table.c.until_s == 0, table.c.until_s > now_s))
    query = (
        sa.select(table.c.account, table.c.asset)
        .join(ledger, (ledger.c.code == "cust:" + table.c.account) & (ledger.c.asset == table.c.asset))
        .where(ledger.c.credits > ledger.c.debits, sa.tuple_(table.c.account, table.c.asset).not_in(live))
        .distinct()
        .order_by(table.c.account, table.c.asset)
    )
    return [(row.account, row.asset) for row in connection.execute(query)]


def _lapse(connection: sa.Connection, hq: HqKeys, clock: Clock, account: str, asset: str) -> int:
    hqlog.lock(connection)
    free = grants.free_of(connection, [account], asset).get(account, 0)
    if free:
        change = Change(Effect.PAID_OUT, asset, ISSUED, free)
        hqlog.append(connection, hq, clock, [Act(account, f"plan {asset} has ended", [change])])
    return free


def _plan(row: sa.Row[Any]) -> Plan:
    sites = tuple(row.sites.split())
    return Plan(row.reference, row.account, row.asset, row.swaps, row.daily, sites, row.until_s)
