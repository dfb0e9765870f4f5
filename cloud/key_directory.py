"""Which key signed what, and until when? Every key that ever counted, each with the record that published it.

The directory is a fold of headquarters' own log (`key-published` records), so whoever has that log's head can have each
entry proven. A key that is retired signs nothing new and goes on verifying what it signed: nothing is ever taken out.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from cloud import hqlog, schema
from cloud.clock import Clock
from cloud.keys import COSIGN_NAME, GRANT_NAME, HQ_LOG_EPOCH, HQ_LOG_SITE, HqKeys
from protocols.proof import keys
from protocols.proof.checkpoint import parse
from protocols.proof.ed25519 import public_of
from protocols.proof.note import SignatureType, VerifierKey
from protocols.proof.receipt import Receipt
from protocols.proof.tree import inclusion_proof, leaf_hash
from protocols.trade import books
from protocols.trade.records import KeyPublished

DEVICE, LOG, GRANT, COSIGN, HQ_LOG = "device", "log", "grant", "cosign", "hq-log"
VALID, RETIRED = "valid", "retired"


class Key(NamedTuple):
    """role and subject: as in records.KeyPublished. public: SubjectPublicKeyInfo for a device, else 32 bytes."""

    role: str
    subject: str
    public: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and the records of headquarters' log that published and retired it (seq, Unix ms); None: not retired."""

    key: Key
    state: str
    published: int
    published_ms: int
    retired: int | None
    retired_ms: int | None

    @property
    def name(self) -> str:
        """As verifiers take it: a vkey line, or a device's fingerprint."""
        role, subject, public = self.key
        if role == DEVICE:
            return keys.fingerprint(public)
        if role == LOG:
            site, _, epoch = subject.rpartition("/")
            return str(keys.log_verifier(site, int(epoch), public))
        if role == COSIGN:
            return str(keys.cosigner_verifier(COSIGN_NAME, public))
        if role == HQ_LOG:
            return str(keys.log_verifier(HQ_LOG_SITE, HQ_LOG_EPOCH, public))
        return str(VerifierKey(GRANT_NAME, SignatureType.ED25519, public))


def own(hq: HqKeys) -> list[Key]:
    """Headquarters' keys in use."""
    return [
        Key(GRANT, "", public_of(hq.grant)),
        Key(COSIGN, "", public_of(hq.cosign)),
        Key(HQ_LOG, "", public_of(hq.log)),
    ]


def publish(connection: sa.Connection, hq: HqKeys, clock: Clock, wanted: Sequence[Key]) -> None:
    """Put these in the directory, those that are not there yet, in the caller's transaction."""
    hqlog.lock(connection)
    table = schema.key_directory
    query = sa.select(table.c.role, table.c.subject, table.c.public)
    rows = connection.execute(query.where(table.c.subject.in_([key.subject for key in wanted])))
    there = {Key(*row) for row in rows}
    new = [key for key in wanted if key not in there]
    if not new:
        return
    first = hqlog.append(connection, hq, clock, [KeyPublished(*key, VALID) for key in new])
    now_ms = clock.now_ms()
    values = [
        {**key._asdict(), "state": VALID, "published_seq": seq, "published_ms": now_ms}
        for seq, key in enumerate(new, first)
    ]
    connection.execute(table.insert(), values)


def retire(connection: sa.Connection, hq: HqKeys, clock: Clock, key: Key) -> None:
    """Say that this key signs nothing from here on; nothing happens where that was said."""
    hqlog.lock(connection)
    table = schema.key_directory
    at = (table.c.role == key.role) & (table.c.subject == key.subject) & (table.c.public == key.public)
    row = connection.execute(sa.select(table).where(at, table.c.state == VALID)).one_or_none()
    if row is None:
        return
    seq = hqlog.append(connection, hq, clock, [KeyPublished(*key, RETIRED)])
    values = {"state": RETIRED, "retired_seq": seq, "retired_ms": clock.now_ms()}
    connection.execute(table.update().where(table.c.id == row.id).values(values))


def entries(connection: sa.Connection, roles: Iterable[str] | None = None) -> list[Entry]:
    """The directory in the order in which it was published; of these roles alone."""
    table = schema.key_directory
    query = sa.select(table).order_by(table.c.published_seq)
    if roles is not None:
        query = query.where(table.c.role.in_(list(roles)))
    return [
        Entry(
            Key(row.role, row.subject, row.public),
            row.state,
            row.published_seq,
            row.published_ms,
            row.retired_seq,
            row.retired_ms,
        )
        for row in connection.execute(query)
    ]


def as_json(connection: sa.Connection) -> dict[str, object]:
    """The whole directory for anybody: `GET /v1/keys`. checkpoint: the head of headquarters' log that it stands in."""
    epochs = schema.epochs
    note = connection.execute(sa.select(epochs.c.cosigned).where(epochs.c.site == books.HQ)).scalar_one()
    return {
        "log": keys.origin(HQ_LOG_SITE, HQ_LOG_EPOCH),
        "checkpoint": note.decode(),
        "keys": [
            {
                "role": entry.key.role,
                "subject": entry.key.subject,
                "public": b64encode(entry.key.public).decode(),
                "name": entry.name,
                "state": entry.state,
                "published": entry.published,
                "published_ms": entry.published_ms,
                "retired": entry.retired,
                "retired_ms": entry.retired_ms,
            }
            for entry in entries(connection)
        ],
    }


def proof(connection: sa.Connection, seq: int) -> tuple[bytes, bytes] | None:
    """(record, tlog-proof) of a record of headquarters' log, such as an entry's; None: there is none of that number."""
    epochs, table = schema.epochs, schema.records
    head = connection.execute(sa.select(epochs).where(epochs.c.site == books.HQ)).one()
    if not 0 <= seq < head.size:
        return None
    query = sa.select(table.c.bytes).where(table.c.log == head.id, table.c.seq < head.size).order_by(table.c.seq)
    hashes = [leaf_hash(leaf) for leaf in connection.scalars(query.execution_options(yield_per=1000))]
    record = connection.execute(sa.select(table.c.bytes).where(table.c.log == head.id, table.c.seq == seq)).scalar_one()
    assert parse(head.cosigned).size == len(hashes)
    return record, Receipt(seq, inclusion_proof(hashes, seq, len(hashes)), head.cosigned).to_bytes()
