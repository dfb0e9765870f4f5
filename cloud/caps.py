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
    most = {row.id: row.exposure_max for row in connection.execute(_CAPPED_SITES, {"sites": sites})}
    if not most:
        return {}
    out = {site: int(total) for site, total in connection.execute(_OUT_AT_SITES, {"sites": sorted(most)})}
    return {site: (cap, out.get(site, 0)) for site, cap in most.items()}


def _of_accounts(connection: sa.Connection, accounts: Mapping[str, sa.Row[Any]]) -> dict[str, tuple[int, int]]:
    most = {name: row.exposure_max for name, row in accounts.items() if row.exposure_max}
    if not most:
        return {}
    out = {name: int(total) for name, total in connection.execute(_OUT_OF_ACCOUNTS, {"accounts": sorted(most)})}
    return {name: (cap, out.get(name, 0)) for name, cap in most.items()}


# --- the statements --------------------------------------------------------------------------------------------------

_SITES, _EPOCHS, _LEASES = schema.sites, schema.epochs, schema.leases
_REST = _LEASES.c.granted - _LEASES.c.used - _LEASES.c.returned - _LEASES.c.freed
_COUNTED = (_LEASES.c.asset == CNY, _LEASES.c.account != RISK)
_CAPPED_SITES = sa.select(_SITES.c.id, _SITES.c.exposure_max).where(
    _SITES.c.exposure_max > 0, bulk.among(_SITES.c.id, "sites")
)
_OUT_AT_SITES = (
    sa.select(_EPOCHS.c.site, sa.func.sum(_REST))
    .join_from(_LEASES, _EPOCHS, _LEASES.c.log == _EPOCHS.c.id)
    .where(bulk.among(_EPOCHS.c.site, "sites"), *_COUNTED)
    .group_by(_EPOCHS.c.site)
)
_OUT_OF_ACCOUNTS = (
    sa.select(_LEASES.c.account, sa.func.sum(_REST))
    .where(bulk.among(_LEASES.c.account, "accounts"), *_COUNTED)
    .group_by(_LEASES.c.account)
)
