"""Which documents are in force at a site, and how is a new one signed? One signed copy for each site."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import sqlalchemy as sa

from cloud import schema
from cloud.clock import Clock
from cloud.keys import HqKeys
from cloud.refusal import Refuse
from protocols.proof import keys
from protocols.trade.codec import Wire, encode
from protocols.trade.documents import DOMAIN, Document, signed_part
from protocols.trade.wire import DocumentAsk, DocumentRef, RefusalCode


def publish(
    connection: sa.Connection, hq: HqKeys, clock: Clock, kind: str, version: int, content: Wire, sites: Iterable[str]
) -> list[str]:
    """Sign this version for each site; the sites for which it is new. Raises VersionTaken where it is another text."""
    payload = encode(content)
    hashed = hashlib.sha256(payload).digest()
    table = schema.documents
    new: list[str] = []
    for site in sorted(sites):
        at = (table.c.site == site) & (table.c.kind == kind)
        newest = connection.execute(sa.select(table).where(at).order_by(table.c.version.desc()).limit(1)).one_or_none()
        if newest is not None and newest.version == version and newest.hash == hashed:
            continue
        if newest is not None and version <= newest.version:
            raise VersionTaken(f"{kind} at {site}: expected a version above {newest.version}, got {version}")
        signature = keys.sign(hq.grant, DOMAIN, signed_part(kind, site, version, payload))
        document = encode(Document(kind, site, version, payload, signature))
        connection.execute(
            table.insert().values(
                site=site, kind=kind, version=version, hash=hashed, document=document, made_ms=clock.now_ms()
            )
        )
        new.append(site)
    return new


class VersionTaken(ValueError):
    """Versions only rise, so that a pinned version names one text for ever."""

    remedy = "Raise `version` in the file."


def in_force(connection: sa.Connection, site: str) -> list[DocumentRef]:
    """The newest version of each kind for this site."""
    table = schema.documents
    newest = (
        sa.select(table.c.kind, sa.func.max(table.c.version).label("version"))
        .where(table.c.site == site)
        .group_by(table.c.kind)
        .subquery()
    )
    query = (
        sa.select(table.c.kind, table.c.version, table.c.hash)
        .join(newest, (table.c.kind == newest.c.kind) & (table.c.version == newest.c.version))
        .where(table.c.site == site)
        .order_by(table.c.kind)
    )
    return [DocumentRef(row.kind, row.version, row.hash) for row in connection.execute(query)]


def fetch(connection: sa.Connection, site: str, ask: DocumentAsk) -> bytes:
    """The encoded document as signed for this site. Raises Refuse."""
    table = schema.documents
    found = connection.execute(
        sa.select(table.c.document).where(
            table.c.site == site, table.c.kind == ask.kind, table.c.version == ask.version
        )
    ).scalar()
    if found is None:
        raise Refuse(RefusalCode.NOT_FOUND, "document", expected="one in force", got=f"{ask.kind} {ask.version}")
    return bytes(found)
