"""Which grants has a site taken in, so that they are not sent again? Its log says so.

A headquarters that was set back to a backup finds grants there that it signed and has forgotten. It goes on from their
serials: a newer one of its own would else not be newer to the site, and a frozen account's card would go on working.
What it had granted comes back into its books with the next total that the site asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

import sqlalchemy as sa

from cloud import bulk, key_directory, schema
from cloud.keys import HqKeys
from cloud.posting import Entry
from protocols.proof import keys
from protocols.proof.ed25519 import public_of
from protocols.proof.errors import Unproven
from protocols.trade import grants
from protocols.trade.codec import NotCanonical
from protocols.trade.records import GrantAccepted, body_of


class Accepted(NamedTuple):
    """The newest grant of one lease that the records tell of. signed: the bytes as the log has them."""

    account: str
    asset: str
    serial: int
    signed: bytes


def note(connection: sa.Connection, hq: HqKeys, log: int, entries: Iterable[Entry]) -> None:
    """In the caller's transaction, which has just stored these records of the log."""
    told = newest(entries)
    if not told:
        return
    rows = connection.execute(_SERIALS, {"log": log, "accounts": sorted({one.account for one in told})})
    known = {(row.account, row.asset): row.serial for row in rows}
    newer = [one for one in told if one.serial > known.get(one[:2], -1)]
    if newer:
        granters = _grant_keys(connection, hq)
        forgotten = [one for one in newer if _is_ours(granters, one)]
        if forgotten:
            _remember(connection, log, forgotten)
    values = [{"at": log, "whose": one.account, "what": one.asset, "to": one.serial} for one in told]
    connection.execute(_ACCEPT, values)


_LEASES = schema.leases
_SERIALS = sa.select(_LEASES.c.account, _LEASES.c.asset, _LEASES.c.serial).where(
    _LEASES.c.log == sa.bindparam("log"), bulk.among(_LEASES.c.account, "accounts")
)
_ONE = (
    _LEASES.c.log == sa.bindparam("at"),
    _LEASES.c.account == sa.bindparam("whose"),
    _LEASES.c.asset == sa.bindparam("what"),
)
_ACCEPT = (
    _LEASES.update()
    .where(*_ONE, _LEASES.c.accepted_serial < sa.bindparam("to"))
    .values(accepted_serial=sa.bindparam("to"))
)


def newest(entries: Iterable[Entry]) -> list[Accepted]:
    """Of each lease, by account and asset. A grant that cannot be read is not counted as taken in: it is sent again."""
    found: dict[tuple[str, str], Accepted] = {}
    for entry in entries:
        if entry.record.kind != "grant-accepted":
            continue
        try:
            body = body_of(entry.record)
            if not isinstance(body, GrantAccepted):
                continue
            grant, _, _ = grants.split(body.grant)
        except NotCanonical:
            continue
        key = (grant.account, grant.asset)
        if "\x00" not in grant.account + grant.asset and (key not in found or found[key].serial < grant.serial):
            found[key] = Accepted(*key, grant.serial, body.grant)
    return sorted(found.values())


def _is_ours(granters: Iterable[bytes], one: Accepted) -> bool:
    """Nobody else can raise a serial here."""
    _, payload, signature = grants.split(one.signed)
    for public in granters:
        with suppress(Unproven):
            keys.verify(public, grants.DOMAIN, payload, signature)
            return True
    return False


def _grant_keys(connection: sa.Connection, hq: HqKeys) -> list[bytes]:
    """Every key that ever granted, the one in use first: a log may tell of grants from before a rotation."""
    entries = key_directory.entries(connection, [key_directory.GRANT])
    return [public_of(hq.grant), *(entry.key.public for entry in entries)]


def _remember(connection: sa.Connection, log: int, forgotten: list[Accepted]) -> None:
    accounts, table = schema.accounts, schema.leases
    names = sorted({one.account for one in forgotten})
    query = sa.select(accounts.c.id).where(bulk.among(accounts.c.id, "names"))
    there = set(connection.scalars(query, {"names": names}))
    columns = ("log", "account", "asset", "granted", "used", "returned", "freed", "serial", "accepted_serial", "grant")
    rows = [(log, one.account, one.asset, 0, 0, 0, 0, -1, -1, b"", 0) for one in forgotten if one.account in there]
    bulk.insert_missing(connection, table, (*columns, "issued_ms"), rows)
    change = table.update().where(*_ONE, table.c.serial < sa.bindparam("to")).values(serial=sa.bindparam("to"))
    values = [{"at": log, "whose": one.account, "what": one.asset, "to": one.serial} for one in forgotten]
    connection.execute(change, values)
