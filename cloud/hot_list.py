"""Which cards are reported lost or stolen, and how do sites learn of it? Every change is a new version of one list.

The list is the same everywhere, so it is stored once; a site's copy is signed for it when it asks. A site that names
the version it has gets only what changed since. Card numbers are not known here: an entry is the hidden one, under the
fleet's credential key in use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud import bulk, hqlog, schema
from cloud.accounts import current_key, require_account
from cloud.acts import Denied
from cloud.clock import Clock
from cloud.keys import HqKeys
from cloud.refusal import Refuse
from protocols.proof import keys
from protocols.trade import documents, hotlist
from protocols.trade.codec import encode
from protocols.trade.grants import hide_credential
from protocols.trade.hotlist import KIND, HotList, HotListPatch
from protocols.trade.records import TechnicianAct
from protocols.trade.wire import DocumentAsk, DocumentRef, DocumentReply, RefusalCode

LOOKED_UP_AT_ONCE = 500
"""Cards in one query: far below what either database takes as parameters."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The list's newest version, and what this change did to it; nothing where both are 0."""

    version: int
    added: int
    removed: int
    entries: int


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry. hmac: hex. account: whose card it was; None: a card not known here."""

    hmac: str
    account: str | None
    why: str
    listed_in: int
    listed_ms: int


def add(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    *,
    cards: Iterable[str] = (),
    account: str | None = None,
    why: str,
) -> Changed:
    """List these card numbers, and every card of `account`. Those listed already stay as they are. Raises Denied."""
    hqlog.lock(connection)
    owners = _hidden(connection, cards, account)
    newest = _newest(connection)
    before = _list_at(connection, newest)
    fresh = {hmac: owner for hmac, owner in owners.items() if before is None or not hotlist.contains(before, hmac)}
    return _change(connection, hq, clock, newest, before, fresh, set(), why)


def remove(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    *,
    cards: Iterable[str] = (),
    account: str | None = None,
    why: str,
) -> Changed:
    """Take these card numbers, and every card of `account`, off the list. Raises Denied."""
    hqlog.lock(connection)
    newest = _newest(connection)
    before = _list_at(connection, newest)
    hidden = _hidden(connection, cards, account)
    gone = {hmac for hmac in hidden if before is not None and hotlist.contains(before, hmac)}
    return _change(connection, hq, clock, newest, before, {}, gone, why)


def show(connection: sa.Connection, last: int) -> list[Listed]:
    """The entries listed now, the newest first."""
    table, versions = schema.hot_list, schema.hot_list_versions
    query = (
        sa.select(table, versions.c.issued_ms)
        .join(versions, versions.c.version == table.c.listed_in)
        .where(table.c.cleared_in.is_(None))
        .order_by(table.c.id.desc())
        .limit(last)
    )
    return [
        Listed(bytes(row.hmac).hex(), row.account, row.why, row.listed_in, row.issued_ms)
        for row in connection.execute(query)
    ]


def in_force(connection: sa.Connection) -> DocumentRef | None:
    """The newest version; None before the first card was listed."""
    newest = _newest(connection)
    return None if newest is None else DocumentRef(KIND, newest.version, newest.hash)


def content(connection: sa.Connection, hashed: bytes) -> bytes | None:
    """The encoded list that hashes to this, whichever version; None where there has been none."""
    table = schema.hot_list_versions
    row = connection.execute(sa.select(table).where(table.c.hash == hashed).limit(1)).one_or_none()
    return None if row is None else _payload_at(connection, row)


def answer(connection: sa.Connection, hq: HqKeys, site: str, ask: DocumentAsk) -> DocumentReply:
    """The version asked for, signed for this site; a patch of the one it has where that is shorter. Raises Refuse."""
    table = schema.hot_list_versions
    row = connection.execute(sa.select(table).where(table.c.version == ask.version)).one_or_none()
    if row is None:
        raise Refuse(RefusalCode.NOT_FOUND, "document", expected="one in force", got=f"{ask.kind} {ask.version}")
    payload = _payload_at(connection, row)
    signed = documents.signed_part(KIND, site, row.version, payload)
    signature = keys.sign(hq.grant, documents.DOMAIN, signed)
    change = _patch(connection, row, ask.have)
    if change is not None and len(change.added) + len(change.removed) < len(payload):
        told = documents.Patched(KIND, site, row.version, ask.have, hotlist.write_patch(change), signature)
        return DocumentReply(b"", encode(told))
    return DocumentReply(encode(documents.Document(KIND, site, row.version, payload, signature)), b"")


# --- changing --------------------------------------------------------------------------------------------------------


def _change(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    newest: sa.Row[Any] | None,
    before: HotList | None,
    fresh: dict[bytes, str | None],
    gone: set[bytes],
    why: str,
) -> Changed:
    if not fresh and not gone:
        return Changed(newest.version if newest else 0, 0, 0, newest.entries if newest else 0)
    now_ms, key_version = clock.now_ms(), current_key(connection).version
    version = (newest.version if newest else 0) + 1
    listed = set() if before is None else set(hotlist.credentials(before))
    after = hotlist.make(version, now_ms // 1000, key_version, (listed | set(fresh)) - gone)
    payload = encode(after)
    hashed = hashlib.sha256(payload).digest()
    versions, table = schema.hot_list_versions, schema.hot_list
    entries = len(after.entries) // hotlist.ENTRY_BYTES
    row = {"version": version, "key_version": key_version, "issued_ms": now_ms, "payload": payload}
    row |= {"hash": hashed, "entries": entries}
    connection.execute(versions.insert().values(row))
    connection.execute(versions.update().where(versions.c.version < version).values(payload=None))
    if gone:
        live = (table.c.key_version == key_version) & table.c.cleared_in.is_(None)
        change_one = table.update().where(live, table.c.hmac == sa.bindparam("whose")).values(cleared_in=version)
        connection.execute(change_one, [{"whose": hmac} for hmac in sorted(gone)])
    columns = ("key_version", "hmac", "account", "why", "listed_in")
    rows = [(key_version, hmac, owner, why, version) for hmac, owner in sorted(fresh.items())]
    bulk.insert(connection, table, columns, rows)
    detail = f"version {version}, {hashed.hex()}: {len(fresh)} added, {len(gone)} removed; {why}"
    hqlog.append(connection, hq, clock, [TechnicianAct("headquarters", KIND, detail)])
    return Changed(version, len(fresh), len(gone), entries)


def _hidden(connection: sa.Connection, cards: Iterable[str], account: str | None) -> dict[bytes, str | None]:
    """The hidden card numbers, and whose they are. Raises Denied."""
    key, table = current_key(connection), schema.credentials
    found: dict[bytes, str | None] = {hide_credential(key, number): None for number in cards}
    hidden = sorted(found)
    for at in range(0, len(hidden), LOOKED_UP_AT_ONCE):
        some = table.c.hmac.in_(hidden[at : at + LOOKED_UP_AT_ONCE])
        owners = connection.execute(
            sa.select(table.c.hmac, table.c.account).where(table.c.key_version == key.version, some)
        )
        found |= {bytes(row.hmac): row.account for row in owners}
    if account is not None:
        require_account(connection, account)
        mine = (table.c.key_version == key.version) & (table.c.account == account)
        owned = connection.scalars(sa.select(table.c.hmac).where(mine)).all()
        if not owned:
            raise Denied(f"account {account} has no card", "Name the card's number instead.")
        found |= {bytes(hmac): account for hmac in owned}
    return found


# --- reading ---------------------------------------------------------------------------------------------------------


def _newest(connection: sa.Connection) -> sa.Row[Any] | None:
    return connection.execute(_NEWEST).one_or_none()


_NEWEST = sa.select(schema.hot_list_versions).order_by(schema.hot_list_versions.c.version.desc()).limit(1)


def _list_at(connection: sa.Connection, row: sa.Row[Any] | None) -> HotList | None:
    """The list of this version under the key in use; None where there is none."""
    if row is None or row.key_version != current_key(connection).version:
        return None  # under another key every card has another number: the list begins anew
    return hotlist.read(_payload_at(connection, row))


def _payload_at(connection: sa.Connection, row: sa.Row[Any]) -> bytes:
    """The encoded list of a version: as stored, or made again from the entries."""
    if row.payload is not None:
        return bytes(row.payload)
    payload = made_again(connection, row)
    assert hashlib.sha256(payload).digest() == row.hash, row.version
    return payload


def made_again(connection: sa.Connection, row: sa.Row[Any]) -> bytes:
    """The encoded list that the entries come to. row: its row of hot_list_versions."""
    table = schema.hot_list
    listed = connection.scalars(
        sa.select(table.c.hmac).where(
            table.c.key_version == row.key_version,
            table.c.listed_in <= row.version,
            sa.or_(table.c.cleared_in.is_(None), table.c.cleared_in > row.version),
        )
    )
    return encode(hotlist.make(row.version, row.issued_ms // 1000, row.key_version, map(bytes, listed)))


def _patch(connection: sa.Connection, row: sa.Row[Any], have: int) -> HotListPatch | None:
    """What changed since version `have`; None where that is no earlier version of the same key."""
    versions, table = schema.hot_list_versions, schema.hot_list
    base = connection.execute(sa.select(versions).where(versions.c.version == have)).one_or_none()
    if base is None or base.version >= row.version or base.key_version != row.key_version:
        return None
    at_base, at_end = set[bytes](), set[bytes]()
    query = sa.select(table.c.hmac, table.c.listed_in, table.c.cleared_in).where(
        table.c.key_version == row.key_version,
        sa.or_(
            table.c.listed_in.between(base.version + 1, row.version),
            table.c.cleared_in.between(base.version + 1, row.version),
        ),
    )
    for touched in connection.execute(query):
        for version, listed in ((base.version, at_base), (row.version, at_end)):
            if touched.listed_in <= version and (touched.cleared_in is None or touched.cleared_in > version):
                listed.add(bytes(touched.hmac))
    added, removed = b"".join(sorted(at_end - at_base)), b"".join(sorted(at_base - at_end))
    return HotListPatch(base.version, row.version, row.issued_ms // 1000, row.key_version, added, removed)
