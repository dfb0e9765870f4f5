"""Which documents are in force at a site, and how is a new one signed? One signed copy for each site."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from cloud import hot_list, pack_list, schema
from cloud.clock import Clock
from cloud.keys import HqKeys
from cloud.refusal import Refuse
from protocols.proof import keys
from protocols.trade import hotlist
from protocols.trade.codec import Wire, decode, encode
from protocols.trade.documents import DOMAIN, Document, signed_part
from protocols.trade.wire import DocumentAsk, DocumentRef, DocumentReply, RefusalCode

W = TypeVar("W", bound=Wire)


class Made(NamedTuple):
    """One version of a document as it was signed for a site, in Unix ms. document: its exact bytes."""

    version: int
    made_ms: int
    document: bytes


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
        document = sign(hq, kind, site, version, payload)
        connection.execute(
            table.insert().values(
                site=site, kind=kind, version=version, hash=hashed, document=document, made_ms=clock.now_ms()
            )
        )
        new.append(site)
    return new


def newest(connection: sa.Connection, site: str, kind: str, into: type[W]) -> W | None:
    """What is in force at a site; None where no version of this kind has been signed for it. Raises NotCanonical."""
    versions = history(connection, site, kind, last=1)
    return decode(decode(versions[0].document, Document).payload, into) if versions else None


def history(connection: sa.Connection, site: str, kind: str, last: int) -> list[Made]:
    """The newest versions for a site, newest first."""
    table = schema.documents
    query = sa.select(table.c.version, table.c.made_ms, table.c.document)
    query = query.where(table.c.site == site, table.c.kind == kind).order_by(table.c.version.desc()).limit(last)
    return [Made(row.version, row.made_ms, bytes(row.document)) for row in connection.execute(query)]


def sign(hq: HqKeys, kind: str, site: str, version: int, payload: bytes) -> bytes:
    """The encoded document, signed for this site."""
    signature = keys.sign(hq.grant, DOMAIN, signed_part(kind, site, version, payload))
    return encode(Document(kind, site, version, payload, signature))


class VersionTaken(ValueError):
    """Versions only rise, so that a pinned version names one text for ever."""

    remedy = "Raise `version` in the file."


def in_force(connection: sa.Connection, site: str) -> list[DocumentRef]:
    """The newest version of each kind for this site, and of the lists of cards and packs, which are every site's."""
    refs = [DocumentRef(row.kind, row.version, row.hash) for row in connection.execute(_IN_FORCE, {"site": site})]
    listed = (hot_list.in_force(connection), pack_list.in_force(connection, site))
    return [*refs, *(ref for ref in listed if ref is not None)]


_DOCUMENTS = schema.documents
_NEWEST = (
    sa.select(_DOCUMENTS.c.kind, sa.func.max(_DOCUMENTS.c.version).label("version"))
    .where(_DOCUMENTS.c.site == sa.bindparam("site"))
    .group_by(_DOCUMENTS.c.kind)
    .subquery()
)
_IN_FORCE = (
    sa.select(_DOCUMENTS.c.kind, _DOCUMENTS.c.version, _DOCUMENTS.c.hash)
    .join(_NEWEST, (_DOCUMENTS.c.kind == _NEWEST.c.kind) & (_DOCUMENTS.c.version == _NEWEST.c.version))
    .where(_DOCUMENTS.c.site == sa.bindparam("site"))
    .order_by(_DOCUMENTS.c.kind)
)


def answer(connection: sa.Connection, hq: HqKeys, site: str, ask: DocumentAsk) -> DocumentReply:
    """The document that a site asks for. Raises Refuse."""
    if ask.kind == hotlist.KIND:
        return hot_list.answer(connection, hq, site, ask)
    if ask.kind == pack_list.KIND:
        return pack_list.answer(connection, hq, site, ask)
    return DocumentReply(fetch(connection, site, ask.kind, ask.version), b"")


def fetch(connection: sa.Connection, site: str, kind: str, version: int) -> bytes:
    """The encoded document as signed for this site. Raises Refuse."""
    table = schema.documents
    at = (table.c.site == site) & (table.c.kind == kind) & (table.c.version == version)
    found = connection.execute(sa.select(table.c.document).where(at)).scalar()
    if found is None:
        raise Refuse(RefusalCode.NOT_FOUND, "document", expected="one in force", got=f"{kind} {version}")
    return bytes(found)
