"""What are sites told of single packs? One list for the fleet, stored once, signed for a site when it asks.

It names the packs that have something said of them: hot, rented, due for inspection. Sites that swap packs, those with
swap terms in force, get it. A new version is made where anything has changed: at once by a person's word, and by
`tend` for what sites have told.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import sqlalchemy as sa

from cloud import hqlog, schema
from cloud.clock import Clock
from cloud.keys import HqKeys
from cloud.refusal import Refuse
from protocols.proof import keys
from protocols.trade import documents, swap_terms
from protocols.trade.codec import decode, encode
from protocols.trade.pack_list import KIND as KIND
from protocols.trade.pack_list import PACKS_MAX, PackEntry, PackList
from protocols.trade.wire import DocumentAsk, DocumentRef, DocumentReply, RefusalCode

EVERY_MS = 3_600_000
"""By itself a new version is made at most so often: each is kept, since sessions pin it."""


def publish(connection: sa.Connection, clock: Clock, *, every_ms: int = 0) -> int | None:
    """Make the next version, where anything has changed; its number. None: nothing has, or the last one is younger than
    every_ms.
    """
    hqlog.lock(connection)  # so that two at once do not make the same version
    table = schema.pack_lists
    newest = connection.execute(_NEWEST).one_or_none()
    version, now_ms = 1 if newest is None else newest.version + 1, clock.now_ms()
    if newest is not None and now_ms - newest.issued_ms < every_ms:
        return None
    packs = _entries(connection)
    if packs == ([] if newest is None else decode(_inflated(newest.payload), PackList, bytes_max=_MAX).packs):
        return None
    payload = encode(PackList(version, now_ms // 1000, packs))
    row = {"version": version, "issued_ms": now_ms, "hash": hashlib.sha256(payload).digest()}
    connection.execute(table.insert().values({**row, "payload": zlib.compress(payload)}))
    return version


def content(connection: sa.Connection, hashed: bytes) -> bytes | None:
    """The encoded list that hashes to this, whichever version; None where there has been none."""
    table = schema.pack_lists
    found = connection.execute(sa.select(table.c.payload).where(table.c.hash == hashed).limit(1)).scalar()
    return None if found is None else _inflated(found)


def in_force(connection: sa.Connection, site: str) -> DocumentRef | None:
    """The newest version; None before the first, and for a site that swaps nothing."""
    if connection.execute(_SWAPS, {"site": site}).first() is None:
        return None
    newest = connection.execute(_NEWEST).one_or_none()
    return None if newest is None else DocumentRef(KIND, newest.version, newest.hash)


def told(connection: sa.Connection) -> list[str]:
    """The sites that get it."""
    table = schema.documents
    query = sa.select(table.c.site).where(table.c.kind == swap_terms.KIND).distinct()
    return sorted(connection.scalars(query))


def answer(connection: sa.Connection, hq: HqKeys, site: str, ask: DocumentAsk) -> DocumentReply:
    """The version asked for, signed for this site. Raises Refuse."""
    table = schema.pack_lists
    found = connection.execute(sa.select(table.c.payload).where(table.c.version == ask.version)).scalar()
    if found is None:
        raise Refuse(RefusalCode.NOT_FOUND, "document", expected="one in force", got=f"{ask.kind} {ask.version}")
    payload = _inflated(found)
    signed = documents.signed_part(KIND, site, ask.version, payload)
    signature = keys.sign(hq.grant, documents.DOMAIN, signed)
    return DocumentReply(encode(documents.Document(KIND, site, ask.version, payload, signature)), b"")


def _inflated(stored: bytes) -> bytes:
    return zlib.decompress(bytes(stored))


_MAX = documents.BYTES_MAX
_NEWEST = sa.select(schema.pack_lists).order_by(schema.pack_lists.c.version.desc()).limit(1)
_SWAPS = (
    sa.select(schema.documents.c.version)
    .where(schema.documents.c.site == sa.bindparam("site"), schema.documents.c.kind == swap_terms.KIND)
    .limit(1)
)


def _entries(connection: sa.Connection) -> list[PackEntry]:
    """By code. Of more than fit, the hot ones, the rented ones, and those that are to be inspected first."""
    packs, rented = schema.packs, _rented(connection)
    query = sa.select(packs).where(
        sa.or_(packs.c.hot, packs.c.inspect_by_s > 0, packs.c.code.in_(_OUT)),
    )
    found = [_entry(row, rented.get(row.code)) for row in connection.execute(query)]
    found.sort(key=lambda one: (not one.hot, not one.rented_by, one.inspect_by_s, one.code))
    return sorted(found[:PACKS_MAX], key=lambda one: one.code)


def _entry(row: sa.Row[Any], rental: sa.Row[Any] | None) -> PackEntry:
    return PackEntry(
        code=row.code,
        number=row.number or 0,
        hot=row.hot,
        rented_by="" if rental is None else rental.account,
        until_s=0 if rental is None else rental.until_s or 0,
        grace_s=0 if rental is None else rental.grace_s,
        late_e3=0 if rental is None else rental.late_e3,
        inspect_by_s=row.inspect_by_s,
    )


_OUT = sa.select(schema.rentals.c.code).where(schema.rentals.c.state == "out")


def _rented(connection: sa.Connection) -> dict[str, sa.Row[Any]]:
    """The newest open rental of each pack that has one."""
    table = schema.rentals
    query = sa.select(table).where(table.c.state == "out").order_by(table.c.began_ms, table.c.log, table.c.seq)
    return {row.code: row for row in connection.execute(query)}
