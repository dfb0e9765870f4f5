"""How does a site serve a customer for whom it has neither rights nor a link? From the operator's own money, if any.

The pool is a grant like any other, to the account `operator-risk`, funded by a loan of the operator to itself: without
one there is no pool, and in all a site can lose no more than it was funded with. A site limits what one card may draw
(`risk_per_card_fen` of its configuration). What was drawn is recovered by linked adjustments, or lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from cloud import acts, bulk, epochs, grants, hqlog, loans, schema
from cloud.accounts import AMOUNT_MAX, Done
from cloud.acts import Denied
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from cloud.posting import Log
from protocols.trade.records import CNY, RISK, Effect


def fund(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    site: str,
    amount: int,
    *,
    session_limit: int,
    reference: str,
) -> Done:
    """Grant the site's newest epoch `amount` fen more of the pool. session_limit: fen of one session, from now on at
    every site whose grant is signed anew. A repeat of the reference does nothing. Raises Denied.
    """
    if not 0 < amount <= AMOUNT_MAX or not 0 < session_limit <= AMOUNT_MAX:
        raise Denied(f"expected amounts of 1 to {AMOUNT_MAX} fen", "Check the amount and the limit.")
    row = epochs.newest(connection, site)
    if row.state != epochs.OPEN:
        raise Denied(f"{site}/{row.epoch} is {row.state}", "Only an open epoch is funded.")
    hqlog.lock(connection)
    ordered = ["fund", site, amount, session_limit]
    before = acts.done_before(connection, reference, ordered)
    if before is not None:
        return Done(before, True, frozenset())
    _ensure_account(connection, clock, session_limit)
    place = loans.place_of(Log(row.id, row.site, row.epoch))
    act = Act(RISK, f"pool of {place}, reference {reference}", [Change(Effect.LOANED, CNY, place, amount)])
    serial = hqlog.append(connection, hq, clock, [act])
    acts.note(connection, reference, ordered, serial)
    provided = grants.provide(connection, hq, clock, RISK, site, CNY, amount)
    assert provided is not None, site
    assert provided.step == amount, provided
    return Done(serial, False, frozenset({site}))


@dataclass(frozen=True, slots=True)
class Pool:
    """One epoch's pool, in fen. left: not drawn and not given back."""

    site: str
    epoch: int
    funded_fen: int
    drawn_fen: int
    left_fen: int


def pools(connection: sa.Connection) -> list[Pool]:
    """Every pool there ever was, by site and epoch."""
    table, heads = schema.leases, schema.epochs
    columns = (heads.c.site, heads.c.epoch, table.c.granted, table.c.used, table.c.returned, table.c.freed)
    query = sa.select(*columns).join_from(table, heads, table.c.log == heads.c.id)
    rows = connection.execute(query.where(table.c.account == RISK).order_by(heads.c.site, heads.c.epoch))
    return [
        Pool(row.site, row.epoch, row.granted, row.used, row.granted - row.used - row.returned - row.freed)
        for row in rows
    ]


def _ensure_account(connection: sa.Connection, clock: Clock, session_limit: int) -> None:
    table = schema.accounts
    columns = ("id", "class", "status", "session_limit", "placed", "site_max", "opened_ms")
    row = (RISK, "operator", "open", session_limit, 0, AMOUNT_MAX, clock.now_ms())
    bulk.insert_missing(connection, table, columns, [row])
    connection.execute(table.update().where(table.c.id == RISK).values(session_limit=session_limit))
