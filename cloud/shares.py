"""How do units of a plan, or a deposit, come to wait at sites? As money does, but a share for each site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from cloud import grants, hqlog, schema
from cloud.clock import Clock
from cloud.keys import HqKeys
from protocols.trade import books


def wait_at(
    connection: sa.Connection, hq: HqKeys, clock: Clock, account: str, asset: str, shares: Mapping[str, int]
) -> set[str]:
    """Have `shares[site]` units of another asset than money wait at each site, as far as the account has them free; the
    sites with new grants. Nothing waits for a frozen account, nor at a site without an open epoch.
    """
    hqlog.lock(connection)
    rows = {row.id: row for row in grants.account_rows(connection, [account]) if row.status == "open"}
    free = grants.free_of(connection, [account], asset).get(account, 0)
    raises: list[tuple[grants.Lease, int]] = []
    for lease in _waiting(connection, account, asset, shares) if rows else ():
        step = grants.raise_to_place(shares[lease.site], lease.outstanding, free)
        if step:
            free -= step
            raises.append((lease, step))
    if raises:
        grants.book_raises(connection, hq, clock, raises, rows)
    return {lease.site for lease, _ in raises}


def all_at(connection: sa.Connection, hq: HqKeys, clock: Clock, account: str, asset: str, site: str) -> set[str]:
    """Have all that is free of it wait at one site, beside what waits there already."""
    waiting = sum(lease.outstanding for lease in _waiting(connection, account, asset, [site]))
    free = grants.free_of(connection, [account], asset).get(account, 0)
    return wait_at(connection, hq, clock, account, asset, {site: waiting + free}) if free > 0 else set()


def deposits_at(connection: sa.Connection, hq: HqKeys, clock: Clock, site: str) -> set[str]:
    """Have the free deposits of those who are at home here wait here; the sites with new grants."""
    query = sa.select(schema.accounts.c.id).where(schema.accounts.c.home_site == site)
    free = [
        (account, asset)
        for accounts in [sorted(connection.scalars(query))]
        for asset in sorted(books.DEPOSITS)
        for account in sorted(grants.free_of(connection, accounts, asset))
    ]
    return {told for account, asset in free for told in all_at(connection, hq, clock, account, asset, site)}


def lacking_at(connection: sa.Connection, account: str, asset: str, shares: Mapping[str, int]) -> int:
    """Units that must be free for `wait_at` to bring each site its share."""
    waiting = _waiting(connection, account, asset, shares)
    return sum(max(0, shares[lease.site] - lease.outstanding) for lease in waiting)


def _waiting(connection: sa.Connection, account: str, asset: str, sites: Iterable[str]) -> list[grants.Lease]:
    """What the account has at those of these sites that have an open epoch, in their order."""
    found: list[grants.Lease] = []
    for site in sites:
        epoch = grants.newest_epoch(connection, site)
        if epoch is not None and epoch.state == "open":
            lease = grants.leases_at(connection, epoch, [account], asset).get(account)
            found.append(lease or grants.Lease(epoch.id, site, epoch.epoch, account, asset))
    return found
