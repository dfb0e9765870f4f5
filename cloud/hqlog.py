"""How is an act of headquarters recorded? One more record at the end of its own log, posted in the same transaction.

The log has the form of every site's: the same records, tree and counters. It lives in the epoch of site "", and its
checkpoint, signed by headquarters' log key and cosigned, stands in that row.

Locks are taken in this order: the head of a site's epoch, the head of this log, the ledger (cloud/posting.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from cloud import bulk, posting, schema
from cloud.calendar import business_date
from cloud.clock import Clock
from cloud.keys import COSIGN_NAME, HQ_LOG_EPOCH, HQ_LOG_SITE, HqKeys
from cloud.posting import Entry, Log
from protocols.proof import checkpoint, ed25519, keys, tree
from protocols.trade import books
from protocols.trade.books import CounterKey
from protocols.trade.codec import Wire, encode
from protocols.trade.records import AccountActed, Draft, Effect, Move, Record, Stamp, seal


class Change(NamedTuple):
    """What an act does to the account's value: a move whose counter is yet to be found."""

    effect: Effect
    asset: str
    place: str
    amount: int


class Act(NamedTuple):
    """One act on one account. detail: for people, without names or card numbers."""

    account: str
    detail: str
    changes: Sequence[Change] = ()


def create(connection: sa.Connection, hq: HqKeys, clock: Clock, zone: str) -> None:
    """Begin headquarters' own log; nothing happens where it is begun already."""
    now_ms = clock.now_ms()
    site = {"id": books.HQ, "title": "headquarters", "device": "", "status": "admitted", "zone": zone}
    epoch = {
        "site": books.HQ,
        "epoch": HQ_LOG_EPOCH,
        "log_key": ed25519.public_of(hq.log),
        "device_key": b"",
        "software": "fieldtill-hq",
        "state": "open",
        "state_why": "",
        "size": 0,
        "frontier": tree.Frontier().to_bytes(),
        "cosigned": b"",
        "opened_ms": now_ms,
    }
    if connection.execute(sa.select(schema.sites.c.id).where(schema.sites.c.id == books.HQ)).one_or_none() is None:
        connection.execute(schema.sites.insert().values(site | {"day_starts_h": 0, "added_ms": now_ms}))
        connection.execute(schema.epochs.insert().values(epoch))


def lock(connection: sa.Connection) -> sa.Row[Any]:
    """The head of headquarters' log, and its zone, held to the end of the transaction: whoever spends customers' free
    money holds it, so that two such decisions never see the same money."""
    return connection.execute(_HEAD).one()


_HEAD = (
    sa.select(schema.epochs, schema.sites.c.zone)
    .join_from(schema.epochs, schema.sites, schema.epochs.c.site == schema.sites.c.id)
    .where(schema.epochs.c.site == books.HQ)
    .with_for_update(of=schema.epochs, key_share=True)
)
_MOVE_HEAD = schema.epochs.update().where(schema.epochs.c.id == sa.bindparam("log"))  # sets what its parameters name


class StaleKeys(Exception):
    """This process signs with a key of headquarters' log that has been rotated since it was read."""

    remedy = "Restart it, so that it reads the keys again."


def append(connection: sa.Connection, hq: HqKeys, clock: Clock, acts: Sequence[Act | Wire]) -> int:
    """Record these in order and post what they move; the serial number (seq) of the first, the others follow.

    acts: an Act on an account each, or the body of a record that moves nothing. The caller has checked that every
    change can be posted: one that cannot is an error in this software. Raises StaleKeys.
    """
    head = lock(connection)
    if head.log_key != ed25519.public_of(hq.log):
        raise StaleKeys("headquarters' log is signed with another key by now")
    log = Log(head.id, books.HQ, head.epoch)
    stamp, now_ms = clock.stamp(), clock.now_ms()
    date = business_date(stamp, now_ms, head.zone, 0)
    records = _sealed(connection, log, acts, head.size, stamp)
    leaves = [encode(record) for record in records]
    entries = [Entry(seq, record, date) for seq, record in enumerate(records, head.size)]
    columns = ("log", "seq", "kind", "wall_ms", "business_date", "received_ms", "bytes")
    rows = [
        (log.id, entry.seq, entry.record.kind, stamp.wall_ms, date, now_ms, leaf)
        for entry, leaf in zip(entries, leaves, strict=True)
    ]
    bulk.insert(connection, schema.records, columns, rows)
    made = posting.post(connection, log, entries, now_ms)
    assert not made.quarantined, made.quarantined

    frontier = tree.Frontier.from_bytes(head.frontier).append_many(tree.leaf_hash(leaf) for leaf in leaves)
    name = keys.origin(HQ_LOG_SITE, HQ_LOG_EPOCH)
    signed = checkpoint.sign_checkpoint(checkpoint.Checkpoint(name, frontier.size, frontier.root()), hq.log)
    cosigned = checkpoint.cosign(signed, hq.cosign, COSIGN_NAME, now_ms // 1000)
    values = {"size": frontier.size, "frontier": frontier.to_bytes(), "cosigned": cosigned}
    connection.execute(_MOVE_HEAD, {"log": log.id, **values, "cosigned_ms": now_ms, "seen_ms": now_ms})
    return int(head.size)


def _sealed(
    connection: sa.Connection, log: Log, acts: Sequence[Act | Wire], first_seq: int, stamp: Stamp
) -> list[Record]:
    """The acts as records, each move with its counter."""
    accounts = sorted({act.account for act in acts if isinstance(act, Act)})
    counters = posting.read_counters(connection, log, accounts)
    records: list[Record] = []
    for seq, act in enumerate(acts, first_seq):
        if not isinstance(act, Act):
            records.append(seal(Draft(act), stamp))
            continue
        moves: list[Move] = []
        for effect, asset, place, amount in act.changes:
            key = CounterKey(effect, act.account, asset, place)
            counters[key] = counters.get(key, 0) + amount
            moves.append(Move(effect, act.account, asset, place, amount, counters[key]))
        records.append(seal(Draft(AccountActed(seq, act.account, act.detail), tuple(moves)), stamp))
    return records
