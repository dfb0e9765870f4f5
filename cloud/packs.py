"""Where are the packs, and what becomes of rentals and their deposits? Folds of what records say, kept in tables.

In the transaction that brings records of packs, their facts are stored, and each pack that they name is folded anew
from all its facts: so it makes no difference in which order sites report. What a rental's end makes due of its deposit
is posted at once, as acts of headquarters' log; what was done before is counted, so that nothing is done twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from cloud import bulk, hqlog, schema
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from cloud.posting import Entry, Log
from protocols.trade import books, swap_terms
from protocols.trade.codec import NotCanonical, decode, encode
from protocols.trade.custody import Custody, fold, in_order
from protocols.trade.documents import Document, pin
from protocols.trade.pack_facts import Fact, facts_of
from protocols.trade.records import Effect, Pin, Record, body_of
from protocols.trade.records_pack import SwapOpened
from protocols.trade.rentals import Done, Rental, Step, settle
from protocols.trade.swap_terms import SwapTerms

KINDS = frozenset({"swap-closed", "pack-noted", "packs-scanned", "pack-marked"})
"""Records that say something of packs."""

_MS_MAX = 2**53


class Key(NamedTuple):
    """A rental's name: the log's row, and the fact of it that says that the pack was taken."""

    log: int
    seq: int
    position: int


def concern(entries: Iterable[Entry]) -> bool:
    """Does any of these records speak of packs? Then the caller holds headquarters' log before it posts."""
    return any(entry.record.kind in KINDS for entry in entries)


def take_in(connection: sa.Connection, hq: HqKeys, clock: Clock, log: Log, entries: Sequence[Entry]) -> None:
    """Keep what these new records say of packs, and do what follows from it. The caller holds both logs."""
    found = facts_in(connection, log, entries)
    columns = ("log", "seq", "position", "code", "fact")
    rows = [(log.id, fact.seq, fact.position, *row_of(fact)) for fact in found]
    bulk.insert(connection, schema.pack_facts, columns, rows)
    if found:
        refold(connection, hq, clock, {fact.code for fact in found})


def facts_in(connection: sa.Connection, log: Log, entries: Sequence[Entry]) -> list[Fact]:
    """What these records of one log say of packs, as it is kept."""
    source = _Source(connection, log, {entry.seq: entry.record for entry in entries})
    found: list[Fact] = []
    for entry in entries:
        if entry.record.kind in KINDS:
            try:
                body = body_of(entry.record)
            except NotCanonical:
                continue  # the nightly run names it
            said = facts_of(log.site, log.epoch, entry.seq, entry.record, body, source.opened, source.terms)
            found += (_storable(fact) for fact in said)
    return found


def row_of(fact: Fact) -> tuple[str, bytes]:
    """(code, fact) as pack_facts keeps it."""
    return fact.code, encode(fact)


def refold(connection: sa.Connection, hq: HqKeys, clock: Clock, codes: Iterable[str]) -> None:
    """Fold these packs anew, and settle what their rentals make due. The caller holds headquarters' log."""
    made = {code: fold(code, facts) for code, facts in facts_by_code(connection, codes).items()}
    _write_packs(connection, made.values())
    rentals = [(key, rental) for custody in made.values() for key, rental in keyed(connection, custody)]
    _write_rentals(connection, rentals)
    _settle(connection, hq, clock, rentals)


def facts_by_code(connection: sa.Connection, codes: Iterable[str]) -> dict[str, list[Fact]]:
    """All that is kept of these packs, in no order."""
    found: dict[str, list[Fact]] = {}
    for row in connection.execute(_FACTS, {"codes": sorted(codes)}):
        found.setdefault(row.code, []).append(decode(row.fact, Fact))
    return found


_FACTS = (
    sa.select(schema.pack_facts.c.code, schema.pack_facts.c.fact)
    .where(bulk.among(schema.pack_facts.c.code, "codes"))
    .order_by(schema.pack_facts.c.log, schema.pack_facts.c.seq, schema.pack_facts.c.position)
)


def custody_of(connection: sa.Connection, code: str) -> Custody | None:
    """One pack; None: no record has ever named it."""
    return told(connection, code)[0]


def told(connection: sa.Connection, code: str) -> tuple[Custody | None, list[Fact]]:
    """One pack, and all that was ever said of it, in the order in which it is believed to have happened."""
    facts = facts_by_code(connection, [code]).get(code, [])
    return (fold(code, facts) if facts else None), in_order(facts)


# --- reading what facts are made of ----------------------------------------------------------------------------------


class _Source:
    """The opening records and pinned terms of one log, looked up where the batch does not have them."""

    def __init__(self, connection: sa.Connection, log: Log, batch: Mapping[int, Record]) -> None:
        self._connection = connection
        self._log = log
        self._batch = batch
        self._terms: dict[Pin, SwapTerms | None] = {}

    def opened(self, seq: int) -> SwapOpened | None:
        record = self._batch.get(seq)
        if record is None:
            data = self._connection.execute(_RECORD, {"log": self._log.id, "seq": seq}).scalar()
            record = None if data is None else decode(data, Record)
        if record is None or record.kind != "swap-opened":
            return None
        try:
            body = body_of(record)
        except NotCanonical:
            return None
        return body if isinstance(body, SwapOpened) else None

    def terms(self, pinned: Pin) -> SwapTerms | None:
        if pinned not in self._terms:
            self._terms[pinned] = terms_pinned(self._connection, self._log.site, pinned)
        return self._terms[pinned]


_RECORD = sa.select(schema.records.c.bytes).where(
    schema.records.c.log == sa.bindparam("log"), schema.records.c.seq == sa.bindparam("seq")
)


def terms_pinned(connection: sa.Connection, site: str, pinned: Pin) -> SwapTerms | None:
    """The very terms that were signed for the site under this pin; None: there are none."""
    table = schema.documents
    at = (table.c.site == site) & (table.c.kind == swap_terms.KIND) & (table.c.version == pinned.version)
    data = connection.execute(sa.select(table.c.document).where(at)).scalar()
    if data is None:
        return None
    document = decode(bytes(data), Document)
    return decode(document.payload, SwapTerms) if pin(document) == pinned else None


def _storable(fact: Fact) -> Fact:
    """PostgreSQL's text holds every character but NUL; what a pack says of itself may be anything."""
    texts = {name: value for name in fact.__struct_fields__ if isinstance(value := getattr(fact, name), str)}
    odd = {name: value.replace("\x00", "\ufffd") for name, value in texts.items() if "\x00" in value}
    return msgspec.structs.replace(fact, **odd) if odd else fact


# --- writing the folds -----------------------------------------------------------------------------------------------


def _write_packs(connection: sa.Connection, folded: Iterable[Custody]) -> None:
    columns = [column.name for column in schema.packs.columns]
    rows = [pack_row(pack) for pack in folded]
    bulk.upsert(connection, schema.packs, columns, rows, update=columns[1:])


def pack_row(pack: Custody) -> tuple[Any, ...]:
    """A pack as its table has it, in the order of its columns."""
    seen = pack.seen
    return (
        *(pack.code, pack.place.at.value, pack.place.site, pack.place.cabinet, pack.place.slot),
        *(pack.place.account, 0 if pack.since is None else _ms(pack.since.at_ms)),
        *((None, None) if seen is None else (seen.soc_permille, seen.soh_permille)),
        *(pack.cycles, pack.hot, pack.inspect_by_s, pack.number or None, len(pack.questions)),
    )


def keyed(connection: sa.Connection, custody: Custody) -> list[tuple[Key, Rental]]:
    """The rentals of a pack with their names."""
    return [
        (Key(_log_at(connection, rental.site, rental.epoch), rental.seq, rental.position), rental)
        for rental in custody.rentals
    ]


def _log_at(connection: sa.Connection, site: str, epoch: int) -> int:
    return int(connection.execute(_LOG, {"site": site, "epoch": epoch}).scalar_one())


_LOG = sa.select(schema.epochs.c.id).where(
    schema.epochs.c.site == sa.bindparam("site"), schema.epochs.c.epoch == sa.bindparam("epoch")
)


def _write_rentals(connection: sa.Connection, rentals: Sequence[tuple[Key, Rental]]) -> None:
    columns = [column.name for column in schema.rentals.columns]
    rows = [rental_row(key, rental) for key, rental in rentals]
    bulk.upsert(connection, schema.rentals, columns, rows, update=columns[3:])
    columns = [column.name for column in schema.rental_deposits.columns]
    deposits = [
        (*key, number, deposit.account, deposit.asset, deposit.amount, 0, 0)
        for key, rental in rentals
        for number, deposit in enumerate(rental.deposits)
    ]
    bulk.insert_missing(connection, schema.rental_deposits, columns, deposits)


def rental_row(key: Key, rental: Rental) -> tuple[Any, ...]:
    """A rental as its table has it, in the order of its columns."""
    return (
        *(*key, rental.session, rental.code, rental.account, rental.offer, rental.state, _ms(rental.began_ms)),
        *(rental.until_s, rental.grace_s, rental.late_e3),
        *(None if rental.ended is None else _ms(rental.ended.at_ms), rental.owed_fen, rental.uncovered_fen),
    )


def _ms(unix_ms: int) -> int:
    return unix_ms if -_MS_MAX <= unix_ms <= _MS_MAX else 0  # no clock shows such a time


# --- deposits --------------------------------------------------------------------------------------------------------


def _settle(connection: sa.Connection, hq: HqKeys, clock: Clock, rentals: Iterable[tuple[Key, Rental]]) -> None:
    """Post what ended rentals make due of their deposits, one rental after the other."""
    for key, rental in rentals:
        if rental.open or not rental.deposits:
            continue
        done = [Done(row.kept, row.back) for row in connection.execute(_DONE, key._asdict())]
        held = [_held(connection, deposit.account, deposit.asset) for deposit in rental.deposits]
        steps = settle(rental, done, held)
        for number, (step, so_far) in enumerate(zip(steps, done, strict=True)):
            if step:
                hqlog.append(connection, hq, clock, [_act(rental, step)])
                kept, back = so_far.kept + step.keep - step.unkeep, so_far.back + step.back + step.unkeep
                connection.execute(_NOTE_DONE, {"of": number, "kept": kept, "back": back, **_at(key)})


def _act(rental: Rental, step: Step) -> Act:
    """One record: what is kept, given back, and given back of what was kept."""
    parts = (
        (Effect.DEPOSIT_KEPT, step.keep),
        (Effect.DEPOSIT_UNKEPT, step.unkeep),
        (Effect.DEPOSIT_BACK, step.back),
    )
    changes = [Change(effect, step.deposit.asset, rental.site, amount) for effect, amount in parts if amount]
    return Act(step.deposit.account, f"deposit of rental {rental.name}, {rental.state}", changes)


def _held(connection: sa.Connection, account: str, asset: str) -> int:
    """What the books hold as deposits of this account."""
    code = books.deposit(account)
    return int(connection.execute(_BALANCE, {"code": code, "asset": asset}).scalar() or 0)


def _at(key: Key) -> dict[str, Any]:
    return {"at_log": key.log, "at_seq": key.seq, "at_position": key.position}


_DEPOSITS = schema.rental_deposits
_DONE = (
    sa.select(_DEPOSITS.c.kept, _DEPOSITS.c.back)
    .where(
        _DEPOSITS.c.log == sa.bindparam("log"),
        _DEPOSITS.c.seq == sa.bindparam("seq"),
        _DEPOSITS.c.position == sa.bindparam("position"),
    )
    .order_by(_DEPOSITS.c.number)
)
_NOTE_DONE = (
    _DEPOSITS.update()
    .where(
        _DEPOSITS.c.log == sa.bindparam("at_log"),
        _DEPOSITS.c.seq == sa.bindparam("at_seq"),
        _DEPOSITS.c.position == sa.bindparam("at_position"),
        _DEPOSITS.c.number == sa.bindparam("of"),
    )
    .values(kept=sa.bindparam("kept"), back=sa.bindparam("back"))
)
_BALANCE = sa.select(schema.ledger.c.credits - schema.ledger.c.debits).where(
    schema.ledger.c.code == sa.bindparam("code"), schema.ledger.c.asset == sa.bindparam("asset")
)
