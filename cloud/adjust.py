"""How does a customer pay for what went wrong? By a charge that names what it corrects, ordered by a person, once.

What the customer has had twice, by a loan on value that was then used after all, is charged first, and pays the loan
back. The rest goes to the operator's risk account under the place `@site/epoch`: what it is about, not a loan.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

from cloud import acts, epochs, grants, hqlog, loans, schema
from cloud.accounts import AMOUNT_MAX, Done, require_account
from cloud.acts import Denied
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from cloud.loans import Held
from cloud.posting import Log
from protocols.trade.records import CNY, Effect

ABOUT = "@"

_LINK = re.compile(r"(.+)/([1-9][0-9]{0,17})/(0|[1-9][0-9]{0,17})")


def charge(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    account: str,
    amount: int,
    *,
    because: str,
    why: str,
    reference: str,
) -> Done:
    """Take `amount` fen from what is free, for the record named `because` (SITE/EPOCH/SEQ). Raises Denied."""
    if not 0 < amount <= AMOUNT_MAX:
        raise Denied(f"expected an amount of 1 to {AMOUNT_MAX} fen, got {amount}", "Check the amount.")
    row, seq = _record(connection, because)
    hqlog.lock(connection)
    ordered = [Effect.CHARGED, account, amount, because]
    before = acts.done_before(connection, reference, ordered)
    if before is not None:
        return Done(before, True, frozenset())
    require_account(connection, account)
    if grants.free_of(connection, [account], CNY).get(account, 0) < amount:
        raise Denied("less than that is free", "Charge less, or wait until sites have returned what they hold.")
    log = Log(row.id, row.site, row.epoch)
    had_twice = lent_and_used(connection, log, account)
    place = loans.place_of(log)
    parts = [(place, min(amount, had_twice)), (ABOUT + place, max(0, amount - had_twice))]
    changes = [Change(Effect.CHARGED, CNY, at, part) for at, part in parts if part]
    detail = f"adjusts {place}/{seq}: {why}, reference {reference}"
    serial = hqlog.append(connection, hq, clock, [Act(account, detail, changes)])
    acts.note(connection, reference, ordered, serial)
    return Done(serial, False, frozenset())


def lent_and_used(connection: sa.Connection, log: Log, account: str) -> int:
    """Fen that the account was lent on its lease at this log beyond what the lease still holds: used there since."""
    held = Held(account, CNY)
    lent = loans.read(connection, log, [account]).get(held, 0)
    return max(0, lent - loans.leases_of(connection, log, [account]).get(held, 0))


def _record(connection: sa.Connection, link: str) -> tuple[sa.Row[tuple[object, ...]], int]:
    """The epoch, held, and seq of the record that a link names: in the log, or on a branch of it. Raises Denied."""
    match = _LINK.fullmatch(link)
    if match is None:
        raise Denied(f"expected a record as SITE/EPOCH/SEQ, got {link!r}", "Name the record that is to be corrected.")
    row, seq = epochs.require(connection, match[1], int(match[2])), int(match[3])
    forked = sa.select(schema.forks.c.id).where(schema.forks.c.log == row.id).limit(1)
    if seq >= row.size and connection.execute(forked).one_or_none() is None:
        raise Denied(f"{link} is not here: {match[1]}/{match[2]} has {row.size} records", "Check the number.")
    return row, seq
