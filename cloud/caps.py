"""How much more of customers' money may lie at one site, or be out for one account? Fen alone; the operator's own is
not counted.

A cap bounds what a lost box, or a card in the wrong hands, can cost. It stops raises and takes nothing back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from cloud import bulk, schema
from cloud.acts import Denied
from protocols.trade import books
from protocols.trade.records import CNY, RISK


def room(*caps: tuple[int, int]) -> int | None:
    """What several caps leave. caps: (most, out now), most 0 being no cap. None: nothing is capped; below 0: a cap was
    lowered under what is out.
    """
    return min((most - out for most, out in caps if most), default=None)


class Rooms:
    """What the caps leave, kept up while a transaction that holds headquarters' head raises one grant after another."""

    def __init__(self, connection: sa.Connection, sites: Iterable[str], accounts: Mapping[str, sa.Row[Any]]) -> None:
        self._sites = _of_sites(connection, sorted(set(sites)))
        self._accounts = _of_accounts(connection, accounts)

    def at(self, site: str, account: str, asset: str) -> int | None:
        """How far a grant may rise; None where nothing caps it."""
        if asset != CNY or account == RISK:
            return None
        return room(self._sites.get(site, (0, 0)), self._accounts.get(account, (0, 0)))

    def take(self, site: str, account: str, amount: int) -> None:
        """So much more is out there now."""
        for found, key in ((self._sites, site), (self._accounts, account)):
            if key in found:
                most, out = found[key]
                found[key] = most, out + amount


def set_for_site(connection: sa.Connection, site: str, exposure_max: int) -> None:
    """Fen of all customers that may lie at a site; 0: no cap. Raises Denied."""
    table = schema.sites
    if site == books.HQ or not _set(connection, table, site, exposure_max):
        raise Denied(f"no site {site!r}", "`fieldtill-hq site list` lists them.")


def set_for_account(connection: sa.Connection, account: str, exposure_max: int) -> None:
    """Fen of the account that may be out at all sites; 0: no cap. Raises Denied."""
    if not _set(connection, schema.accounts, account, exposure_max):
        raise Denied(f"no account {account!r}", "`fieldtill-hq account list` lists them.")


def _set(connection: sa.Connection, table: sa.Table, key: str, exposure_max: int) -> bool:
    change = table.update().where(table.c.id == key).values(exposure_max=exposure_max)
    return connection.execute(change).rowcount == 1


def _of_sites(connection: sa.Connection, sites: list[str]) -> dict[str, tuple[int, int]]:
    """(most, out now) of those that have a cap."""
    table, epochs, leases = schema.sites, schema.epochs, schema.leases
    capped = sa.select(table.c.id, table.c.exposure_max).where(
        table.c.exposure_max > 0, bulk.among(connection, table.c.id, sites)
    )
    most = {row.id: row.exposure_max for row in connection.execute(capped)}
    if not most:
        return {}
    sums = (
        sa.select(epochs.c.site, sa.func.sum(_REST))
        .join_from(leases, epochs, leases.c.log == epochs.c.id)
        .where(bulk.among(connection, epochs.c.site, sorted(most)), *_COUNTED)
        .group_by(epochs.c.site)
    )
    out = {site: int(total) for site, total in connection.execute(sums)}
    return {site: (cap, out.get(site, 0)) for site, cap in most.items()}


def _of_accounts(connection: sa.Connection, accounts: Mapping[str, sa.Row[Any]]) -> dict[str, tuple[int, int]]:
    most = {name: row.exposure_max for name, row in accounts.items() if row.exposure_max}
    if not most:
        return {}
    leases = schema.leases
    sums = sa.select(leases.c.account, sa.func.sum(_REST)).where(
        bulk.among(connection, leases.c.account, sorted(most)), *_COUNTED
    )
    out = {name: int(total) for name, total in connection.execute(sums.group_by(leases.c.account))}
    return {name: (cap, out.get(name, 0)) for name, cap in most.items()}


_REST = schema.leases.c.granted - schema.leases.c.used - schema.leases.c.returned - schema.leases.c.freed
_COUNTED = (schema.leases.c.asset == CNY, schema.leases.c.account != RISK)
