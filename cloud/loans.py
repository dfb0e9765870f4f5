"""What has the operator advanced for value that lies at a silent site, and how does it come back?

A loan pays a customer what a lease holds and nobody can fetch; it is the operator's risk, never the customer's debt.
What stands out of it is read from headquarters' own counters: loaned - charged - repaid, at the lease's place.

    lend          operator:offline-risk -> customer   up to what the lease holds and has not been lent: never twice
    charge_back   customer -> operator:offline-risk   the site gives rights back after all, in the same transaction
    settle        lease -> operator:offline-risk      the log has closed: up to the loan; the rest is the customer's

What the site has sold meanwhile is charged to the lease as always: the customer has had it twice, and the loan stays
with the operator until a person charges it by a linked adjustment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from cloud import bulk, hqlog, posting, schema
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from cloud.posting import Log
from protocols.trade import books
from protocols.trade.books import CounterKey
from protocols.trade.records import RISK, Effect

_SIGNS = {Effect.LOANED: 1, Effect.CHARGED: -1, Effect.REPAID: -1}


class Held(NamedTuple):
    """Whose value of which asset: one lease of a log."""

    account: str
    asset: str


Amounts = Mapping[Held, int]
"""In the asset's smallest unit; a lease that is not in it has 0."""


# --- the decisions ---------------------------------------------------------------------------------------------------


def outstanding(counters: Mapping[CounterKey, int], place: str) -> dict[Held, int]:
    """The loans that stand out at a place (`site/epoch`), from the counters of headquarters' log."""
    found: dict[Held, int] = {}
    for key, total in counters.items():
        sign = _SIGNS.get(Effect(key.effect), 0) if key.place == place and key.effect in _SIGNS else 0
        if sign:
            held = Held(key.account, key.asset)
            found[held] = found.get(held, 0) + sign * total
    return {held: amount for held, amount in found.items() if amount > 0}


def to_lend(leases: Amounts, lent: Amounts) -> dict[Held, int]:
    """What may be lent on these leases: what they hold, less what has been lent on them. Never the operator's own."""
    more = {held: amount - lent.get(held, 0) for held, amount in leases.items() if held.account != RISK}
    return {held: amount for held, amount in more.items() if amount > 0}


def to_charge(returned: Amounts, lent: Amounts) -> dict[Held, int]:
    """How much of what has just come back to customers is the operator's."""
    back = {held: min(amount, lent.get(held, 0)) for held, amount in returned.items()}
    return {held: amount for held, amount in back.items() if amount > 0}


def to_settle(leases: Amounts, lent: Amounts) -> dict[Held, tuple[int, int]]:
    """(repaid to the operator, freed for the customer) of what each lease of a closed log still holds."""
    return {
        held: (min(amount, lent.get(held, 0)), max(0, amount - lent.get(held, 0)))
        for held, amount in leases.items()
        if amount > 0
    }


# --- and what is done about them -------------------------------------------------------------------------------------


def lend(
    connection: sa.Connection, hq: HqKeys, clock: Clock, log: Log, accounts: Iterable[str] | None = None
) -> dict[Held, int]:
    """Pay customers what lies in their leases of this log, as far as it has not been lent. Repeated, it does nothing.

    accounts: of these alone. The caller has decided that the site is to be waited for no longer.
    """
    lock(connection, log)
    leases = leases_of(connection, log, accounts)
    more = to_lend(leases, read(connection, log, {held.account for held in leases}))
    place, detail = place_of(log), f"loan for what lies at {place_of(log)}"
    acts = [
        Act(held.account, detail, [Change(Effect.LOANED, held.asset, place, amount)])
        for held, amount in sorted(more.items())
    ]
    if acts:
        hqlog.append(connection, hq, clock, acts)
    return more


def charge_back(connection: sa.Connection, hq: HqKeys, clock: Clock, log: Log, returned: Amounts) -> None:
    """The site has given this back, and it has been posted to the customers just now: what is the operator's of it goes
    on to the operator. In the caller's transaction, which holds both logs.
    """
    back = to_charge(returned, read(connection, log, {held.account for held in returned}))
    place, detail = place_of(log), f"loan back: returned at {place_of(log)}"
    acts = [
        Act(held.account, detail, [Change(Effect.CHARGED, held.asset, place, amount)])
        for held, amount in sorted(back.items())
    ]
    if acts:
        hqlog.append(connection, hq, clock, acts)


def settle(connection: sa.Connection, hq: HqKeys, clock: Clock, log: Log) -> None:
    """The log has closed: empty every lease of it. In the caller's transaction, which holds both logs."""
    leases = leases_of(connection, log)
    parts = to_settle(leases, read(connection, log, {held.account for held in leases}))
    place, detail = place_of(log), f"freed by the end of {place_of(log)}"
    acts: list[Act] = []
    for held, (repaid, freed) in sorted(parts.items()):
        changes = [
            Change(effect, held.asset, place, amount)
            for effect, amount in ((Effect.REPAID, repaid), (Effect.FREED, freed))
            if amount
        ]
        acts.append(Act(held.account, detail, changes))
    if acts:
        hqlog.append(connection, hq, clock, acts)


# --- reading ---------------------------------------------------------------------------------------------------------


def place_of(log: Log) -> str:
    """The place of a lease in headquarters' log."""
    return f"{log.site}/{log.epoch}"


def lock(connection: sa.Connection, log: Log) -> None:
    """Hold the head of this log, then that of headquarters', to the end of the transaction."""
    epochs = schema.epochs
    connection.execute(sa.select(epochs.c.id).where(epochs.c.id == log.id).with_for_update(key_share=True)).one()
    hqlog.lock(connection)


def read(connection: sa.Connection, log: Log, accounts: Iterable[str]) -> dict[Held, int]:
    """The loans to these accounts that stand out at this log."""
    names = sorted(set(accounts))
    if not names:
        return {}
    epochs = schema.epochs
    own = connection.execute(sa.select(epochs).where(epochs.c.site == books.HQ)).one()
    counters = posting.read_counters(connection, Log(own.id, own.site, own.epoch), names)
    return outstanding(counters, place_of(log))


def totals(connection: sa.Connection, effect: Effect, place: str) -> dict[Held, int]:
    """What headquarters has ever booked under this effect at a place."""
    table, epochs = schema.counters, schema.epochs
    query = sa.select(table.c.account, table.c.asset, table.c.total).join_from(
        table, epochs, table.c.log == epochs.c.id
    )
    query = query.where(epochs.c.site == books.HQ, table.c.effect == effect, table.c.place == place)
    return {Held(row.account, row.asset): int(row.total) for row in connection.execute(query)}


def leases_of(connection: sa.Connection, log: Log, accounts: Iterable[str] | None = None) -> dict[Held, int]:
    """What the leases of this log hold, those alone that hold something."""
    table = schema.leases
    rest = table.c.granted - table.c.used - table.c.returned - table.c.freed
    query = sa.select(table.c.account, table.c.asset, rest.label("rest")).where(table.c.log == log.id, rest > 0)
    values: dict[str, list[str]] = {}
    if accounts is not None:
        query, values = query.where(bulk.among(table.c.account, "accounts")), {"accounts": sorted(set(accounts))}
    return {Held(row.account, row.asset): int(row.rest) for row in connection.execute(query, values)}
