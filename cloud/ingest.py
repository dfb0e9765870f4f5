"""How does a site's batch become records, postings and a cosignature? All in one transaction, or not at all.

The batch continues the log exactly where it was left: records already here must be the same bytes and are skipped, a
gap is refused with the size we have, and a log that is not the one it was freezes its epoch with both signed heads
kept. The cosigned note is stored with what it vouches for; a repeat is answered with those stored bytes. What follows
at headquarters (a loan that comes back, leases freed by the log's last record, a guest's refund, a deposit) is posted
in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud import accepted, bulk, epochs, evidence, forks, guests, hqlog, loans, packs, posting, schema
from cloud.calendar import business_date
from cloud.clock import Clock
from cloud.keys import COSIGN_NAME, HqKeys
from cloud.loans import Held
from cloud.posting import Entry, Log
from cloud.refusal import refusal
from protocols.proof import checkpoint as heads
from protocols.proof import keys
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.errors import Malformed, Unproven
from protocols.proof.keys import LogKeyCertificate
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.records import Effect, EpochClosed, EpochOpened, Record, body_of
from protocols.trade.wire import BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Batch, Refusal, RefusalCode

UNREAD_BATCHES_KEPT = 20  # of one epoch: enough to find the fault, too few to fill the disk

_WALL_MS_MAX = 2**53


@dataclass(frozen=True, slots=True)
class Ingested:
    """cosigned: the note to answer with. new: how many records were new. served: accounts whose value was used."""

    cosigned: bytes
    new: int = 0
    served: frozenset[str] = frozenset()


def ingest(connection: sa.Connection, hq: HqKeys, log_id: int, body: bytes, clock: Clock) -> Ingested | Refusal:
    """Take in the decompressed body of a batch that this epoch's log key signed.

    The refusals FORK and NOT_CANONICAL leave evidence behind, so the caller commits whatever this returns.
    """
    now_ms = clock.now_ms()
    head = connection.execute(_HEAD, {"log": log_id}).one()
    try:
        batch = decode(body, Batch, bytes_max=BATCH_BYTES_MAX)
    except NotCanonical as error:
        if head.state == epochs.FROZEN:
            return _frozen(head)
        return _unread(connection, head, body, str(error), now_ms)
    if len(batch.records) > BATCH_RECORDS_MAX:
        expected = f"at most {BATCH_RECORDS_MAX} records"
        return refusal(RefusalCode.TOO_LARGE, "batch", expected=expected, got=str(len(batch.records)), size=head.size)
    claimed = _claimed(head, batch)
    if isinstance(claimed, Refusal):
        return claimed
    if head.state == epochs.FROZEN:
        forks.keep_beside(connection, head, batch, body, now_ms)
        return _frozen(head)
    if batch.first_seq > head.size:
        expected, got = f"first_seq at most {head.size}", str(batch.first_seq)
        return refusal(RefusalCode.GAP, "batch", expected=expected, got=got, size=head.size)

    def fork(seq: int, kept: bytes = head.cosigned) -> Refusal:
        """Freeze the epoch and keep both signed heads, and the later branch as it came."""
        why = forks.freeze(connection, hq, clock, head, seq, kept=kept, other=batch.checkpoint, batch=body)
        expected = f"the log whose first {head.size} records are here"
        return refusal(RefusalCode.FORK, "log", expected=expected, got=why, size=head.size)

    differs = _first_difference(connection, head, batch)
    if differs is not None:
        return fork(differs)
    new = batch.records[head.size - batch.first_seq :]
    if not new:
        if evidence.root_at(connection, head, claimed.size) != claimed.root:
            return fork(claimed.size)
        if claimed.size == head.size:  # an old batch that comes again tells nothing of the box as it is now
            connection.execute(_MOVE_HEAD, {"log": head.id, **_seen(batch, now_ms)})
        return Ingested(head.cosigned)

    try:
        if head.state == epochs.CLOSED:
            raise NotCanonical(f"record {head.size}: the log ended with record {head.size - 1}, its CLOSE")
        entries = _read(head, new, now_ms)
        closing = _closing(entries)
    except NotCanonical as error:
        return _unread(connection, head, body, str(error), now_ms)
    if head.size == 0:
        wrong = _why_not_opened(head, entries[0].record)
        if wrong:
            return _unread(connection, head, body, wrong, now_ms)
    before = Frontier.from_bytes(head.frontier)
    hashes = [leaf_hash(leaf) for leaf in new]
    frontier = before.append_many(hashes)
    if frontier.root() != claimed.root:
        return fork(claimed.size)
    other = evidence.compare(connection, head, before, hashes)
    if other is not None:
        return fork(other.size, other.checkpoint)
    return _store(connection, hq, clock, head, batch, entries, frontier, closing)


_HEAD = (
    sa.select(schema.epochs, schema.sites.c.zone, schema.sites.c.day_starts_h)
    .join_from(schema.epochs, schema.sites, schema.epochs.c.site == schema.sites.c.id)
    .where(schema.epochs.c.id == sa.bindparam("log"))
    .with_for_update(of=schema.epochs, key_share=True)
)
_MOVE_HEAD = schema.epochs.update().where(schema.epochs.c.id == sa.bindparam("log"))  # sets what its parameters name


def _frozen(head: sa.Row[Any]) -> Refusal:
    return refusal(RefusalCode.EPOCH_FROZEN, "epoch", expected="an open one", got=head.state_why, size=head.size)


def _claimed(head: sa.Row[Any], batch: Batch) -> Checkpoint | Refusal:
    """The head that the batch ends with, signed by the log key; or why it is not."""
    code, name = RefusalCode.WRONG_CHECKPOINT, keys.origin(head.site, head.epoch)
    try:
        claimed = forks.read_head(head, batch.checkpoint)
    except Unproven as error:
        return refusal(code, f"checkpoint of {name}", expected=error.expected, got=error.got, size=head.size)
    end = batch.first_seq + len(batch.records)
    if claimed.size != end:
        what, expected = "size in the checkpoint", f"{end}, the record after the last sent"
        return refusal(code, what, expected=expected, got=str(claimed.size), size=head.size)
    return claimed


def _first_difference(connection: sa.Connection, head: sa.Row[Any], batch: Batch) -> int | None:
    """The seq of the first record that is here already with other bytes."""
    end = min(head.size, batch.first_seq + len(batch.records))
    if end <= batch.first_seq:
        return None
    table = schema.records
    here = connection.scalars(
        sa.select(table.c.bytes)
        .where(table.c.log == head.id, table.c.seq >= batch.first_seq, table.c.seq < end)
        .order_by(table.c.seq)
    )
    for seq, (ours, theirs) in enumerate(zip(here, batch.records, strict=False), batch.first_seq):
        if ours != theirs:
            return seq
    return None


def _read(head: sa.Row[Any], new: Sequence[bytes], now_ms: int) -> list[Entry]:
    """The new records decoded and dated. Raises NotCanonical with the seq of the first bad one."""
    entries: list[Entry] = []
    for seq, leaf in enumerate(new, head.size):
        try:
            record = decode(leaf, Record)
        except NotCanonical as error:
            raise NotCanonical(f"record {seq}: {error}") from error
        entries.append(Entry(seq, record, business_date(record.stamp, now_ms, head.zone, head.day_starts_h)))
    return entries


def _closing(entries: Sequence[Entry]) -> EpochClosed | None:
    """The CLOSE among the new records. Raises NotCanonical when anything follows it."""
    for entry in entries:
        if entry.record.kind != "epoch-closed":
            continue
        body = body_of(entry.record)
        if isinstance(body, EpochClosed):
            if entry is not entries[-1]:
                raise NotCanonical(f"record {entry.seq + 1}: the log ended with record {entry.seq}, its CLOSE")
            return body
    return None


def _why_not_opened(head: sa.Row[Any], first: Record) -> str:
    """Why record 0 does not open this very epoch; empty when it does."""
    body = body_of(first)
    if not isinstance(body, EpochOpened):
        return f"record 0: expected epoch-opened, got {first.kind}"
    if (body.site, body.epoch) != (head.site, head.epoch):
        return f"record 0: expected {keys.origin(head.site, head.epoch)}, got {body.site[:64]}/{body.epoch}"
    if (body.log_key, body.device_key) != (head.log_key, head.device_key):
        return "record 0: expected the log key and device key enrolled for this epoch, got others"
    certificate = LogKeyCertificate(body.site, body.epoch, body.log_key, body.certificate)
    try:
        certificate.verify(keys.device_public_from_spki(body.device_key))
    except Unproven as error:
        return f"record 0: {error}"
    return ""


def _store(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    head: sa.Row[Any],
    batch: Batch,
    entries: Sequence[Entry],
    frontier: Frontier,
    closing: EpochClosed | None,
) -> Ingested | Refusal:
    now_ms = clock.now_ms()
    try:
        cosigned = heads.cosign(batch.checkpoint, hq.cosign, COSIGN_NAME, now_ms // 1000)
    except Malformed as error:
        what = "checkpoint to cosign"
        return refusal(RefusalCode.WRONG_CHECKPOINT, what, expected=error.expected, got=error.got, size=head.size)
    columns = ("log", "seq", "kind", "wall_ms", "business_date", "received_ms", "bytes")
    new = batch.records[head.size - batch.first_seq :]
    rows = [
        (head.id, seq, _kind(record), _wall_ms(record), date, now_ms, leaf)
        for (seq, record, date), leaf in zip(entries, new, strict=True)
    ]
    bulk.insert(connection, schema.records, columns, rows)
    log = Log(head.id, head.site, head.epoch)
    giving = {move.account for entry in entries for move in entry.record.moves if move.effect == Effect.RETURNED}
    lent = loans.read(connection, log, {account for account in giving if "\x00" not in account})
    waiting = guests.waiting_at(connection, head.id)
    of_packs = packs.concern(entries)
    if lent or closing is not None or waiting & giving or of_packs:
        hqlog.lock(connection)  # before the ledger: that is the order of all
    made = posting.post(connection, log, entries, now_ms)
    accepted.note(connection, hq, head.id, entries)
    values = {"size": frontier.size, "frontier": frontier.to_bytes(), "cosigned": cosigned, "cosigned_ms": now_ms}
    connection.execute(_MOVE_HEAD, {"log": head.id, **values, **_seen(batch, now_ms)})
    if lent:
        returned = {Held(account, asset): back for (_, account, asset), (_, _, back, _) in made.leases.items() if back}
        loans.charge_back(connection, hq, clock, log, returned)
    if closing is not None:
        epochs.close(connection, hq, clock, head, closing.reason, cosigned)
    if of_packs:
        packs.take_in(connection, hq, clock, log, entries)
    if waiting:
        guests.settle(connection, hq, clock, head.id)
    served = frozenset(account for (_, account, _), (_, used, *_) in made.leases.items() if used)
    return Ingested(cosigned, len(new), served)


def _seen(batch: Batch, now_ms: int) -> dict[str, Any]:
    wall_ms = max(-_WALL_MS_MAX, min(batch.wall_ms, _WALL_MS_MAX))
    return {"seen_ms": now_ms, "boot": batch.boot, "mono_ms": batch.mono_ms, "wall_ms": wall_ms}


def _kind(record: Record) -> str:
    return (
        record.kind.replace("\x00", "\ufffd") if "\x00" in record.kind else record.kind
    )  # PostgreSQL's text holds every character but NUL


def _wall_ms(record: Record) -> int:
    wall_ms = record.stamp.wall_ms
    return wall_ms if -_WALL_MS_MAX <= wall_ms <= _WALL_MS_MAX else 0  # no clock shows such a time


def _unread(connection: sa.Connection, head: sa.Row[Any], body: bytes, why: str, now_ms: int) -> Refusal:
    """Keep a batch that cannot be read, once, and refuse it."""
    table = schema.quarantine
    why = why.replace("\x00", "\ufffd")
    kept = connection.scalars(
        sa.select(table.c.bytes).where(table.c.log == head.id, table.c.seq.is_(None)).limit(UNREAD_BATCHES_KEPT)
    ).all()
    if len(kept) < UNREAD_BATCHES_KEPT and body not in kept:
        row = {"log": head.id, "code": RefusalCode.NOT_CANONICAL, "why": why, "bytes": body, "received_ms": now_ms}
        connection.execute(table.insert().values(row))
    return refusal(RefusalCode.NOT_CANONICAL, "batch", expected="canonical records", got=why, size=head.size)
