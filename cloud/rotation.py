"""How does headquarters exchange one of its keys, while boxes are away and a server runs?

    rotate     a new key signs from now on; the directory names both; boxes learn of it by a document that the grant
               key before it has signed, and go on believing the old one, whose signatures may be under way
    withdraw   boxes believe the old ones no longer; what still waits for them is signed anew

The key file is exchanged inside the transaction, the old one kept beside it until the transaction is in: whichever of
the two a crash leaves behind, `recover` finds out from the directory which key is in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cloud import documents, grants, hqlog, key_directory, keys, schema, sites
from cloud.acts import Denied
from cloud.clock import Clock
from cloud.key_directory import COSIGN, GRANT, HQ_LOG, VALID, Key
from cloud.keys import COSIGN_NAME, HqKeys
from cloud.store import reading, writing
from protocols.proof import checkpoint
from protocols.proof.ed25519 import public_of
from protocols.proof.note import Note
from protocols.trade import books
from protocols.trade.codec import decode
from protocols.trade.documents import Document
from protocols.trade.key_set import KIND, KeySet

_FIELDS = {GRANT: "grant", COSIGN: "cosign", HQ_LOG: "log"}


def rotate(engine: sa.Engine, path: Path, clock: Clock, role: str) -> Key:
    """Make a new key for GRANT, COSIGN or HQ_LOG and use it from now on; the key. path: the directory of the keys."""
    with writing(engine) as connection:
        heads = _hold_heads(connection) if role == COSIGN else []  # before headquarters' log: that is the order of all
        hqlog.lock(connection)
        old = keys.load(path)
        made = keys.prepare(path, role)
        new = replace(old, **{_FIELDS[role]: made})
        before, after = Key(role, "", public_of(getattr(old, _FIELDS[role]))), Key(role, "", public_of(made))
        key_directory.publish(connection, old, clock, key_directory.own(old))
        if role == HQ_LOG:
            key_directory.publish(connection, old, clock, [after])  # the old key's last word is the new one
            epochs = schema.epochs
            connection.execute(epochs.update().where(epochs.c.site == books.HQ).values(log_key=after.public))
        else:
            known = _newest_set(connection, old)
            _publish_set(connection, old, clock, replace_newest(known, role, after.public))
            key_directory.publish(connection, new, clock, [after])
        key_directory.retire(connection, new, clock, before)
        if role == COSIGN:
            _cosign_anew(connection, new, clock, heads)
        if role == GRANT:
            _sign_documents_anew(connection, new)
        keys.take_up(path, role)
    keys.settle(path, role, after.public)
    return after


def withdraw(engine: sa.Engine, path: Path, clock: Clock, role: str) -> int:
    """Have boxes believe none but the newest GRANT or COSIGN key; how many older ones that were. Raises Denied."""
    with writing(engine) as connection:
        hqlog.lock(connection)
        hq = keys.load(path)
        known = _newest_set(connection, hq)
        believed = list(getattr(known, role))
        if len(believed) == 1:
            raise Denied(f"boxes believe one {role} key alone", "There is nothing to withdraw.")
        _publish_set(connection, hq, clock, _changed(known, role, believed[:1]))
        if role == GRANT:
            grants.sign_pending_anew(connection, hq, clock)
    return len(believed) - 1


def recover(engine: sa.Engine, path: Path) -> None:
    """Finish or undo a rotation that was interrupted. Before the keys are loaded."""
    for role in keys.unsettled(path):
        with reading(engine) as connection:
            entries = key_directory.entries(connection, [role])
        valid = [entry.key.public for entry in entries if entry.state == VALID]
        keys.settle(path, role, valid[-1] if valid else b"")


def replace_newest(known: KeySet, role: str, public: bytes) -> KeySet:
    """The next version, with this key before those that are known already."""
    return _changed(known, role, [public, *getattr(known, role)])


def _changed(known: KeySet, role: str, believed: Sequence[bytes]) -> KeySet:
    grant = list(believed) if role == GRANT else known.grant
    cosign = list(believed) if role == COSIGN else known.cosign
    return KeySet(known.version + 1, grant, cosign)


def _newest_set(connection: sa.Connection, hq: HqKeys) -> KeySet:
    """What boxes were last told to believe; before the first time, the keys in use."""
    table = schema.documents
    query = sa.select(table.c.document).where(table.c.kind == KIND).order_by(table.c.version.desc()).limit(1)
    stored = connection.execute(query).scalar()
    if stored is None:
        return KeySet(0, [public_of(hq.grant)], [public_of(hq.cosign)])
    return decode(decode(stored, Document).payload, KeySet)


def _publish_set(connection: sa.Connection, hq: HqKeys, clock: Clock, wanted: KeySet) -> None:
    documents.publish(connection, hq, clock, KIND, wanted.version, wanted, sites.names(connection))


def _hold_heads(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    epochs = schema.epochs
    heads = sa.select(epochs).where(epochs.c.site != books.HQ)
    return connection.execute(heads.order_by(epochs.c.id).with_for_update(key_share=True)).all()


def _cosign_anew(connection: sa.Connection, hq: HqKeys, clock: Clock, heads: Sequence[sa.Row[Any]]) -> None:
    """Every head that stands, so that a repeat is answered with a cosignature that boxes go on believing."""
    changes: list[dict[str, Any]] = []
    for row in heads:
        if row.cosigned:
            note = Note.parse(row.cosigned)
            own = tuple(line for line in note.signatures if line.name != COSIGN_NAME)
            now_s = clock.now_ms() // 1000
            cosigned = checkpoint.cosign(Note(note.text, own).to_bytes(), hq.cosign, COSIGN_NAME, now_s)
            changes.append({"at": row.id, "to": cosigned})
    if changes:
        epochs = schema.epochs
        change = epochs.update().where(epochs.c.id == sa.bindparam("at")).values(cosigned=sa.bindparam("to"))
        connection.execute(change, changes)


def _sign_documents_anew(connection: sa.Connection, hq: HqKeys) -> None:
    """All but the key sets, whose signatures are the chain: a box that pins the new key alone can take them in."""
    table = schema.documents
    for row in connection.execute(sa.select(table).where(table.c.kind != KIND)).all():
        document = decode(row.document, Document)
        signed = documents.sign(hq, document.kind, document.site, document.version, document.payload)
        at = (table.c.site == row.site) & (table.c.kind == row.kind) & (table.c.version == row.version)
        connection.execute(table.update().where(at).values(document=signed))
