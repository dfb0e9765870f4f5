"""What do a log's new records do to the books, and how is that written once?

`plan` decides and is pure; `post` reads what it needs, asks it, and writes the answer in bulk. A move that cannot be
posted as meant is posted to suspense with its reason and never holds up those behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa

from cloud import bulk, schema
from protocols.trade import books
from protocols.trade.books import CounterKey, Transfer
from protocols.trade.records import Effect, Move, Record

TOTAL_MAX = 2**62
"""Greatest debits or credits of one ledger account; a column holds 2**63 - 1. Only nonsense gets there."""


class Log(NamedTuple):
    """A log as the books know it: its row, its site ("" for headquarters) and epoch."""

    id: int
    site: str
    epoch: int


class Entry(NamedTuple):
    """A new record. business_date: ISO."""

    seq: int
    record: Record
    business_date: str


class Held(NamedTuple):
    """A row of the ledger before the batch."""

    id: int
    debits: int
    credits: int


class Quarantined(NamedTuple):
    """A move that was not posted as meant. code: for programs; why: for a person."""

    seq: int
    position: int
    code: str
    why: str


LedgerKey = tuple[str, str]
"""(code, asset)"""
LeaseKey = tuple[str, str, str]
"""(place, account, asset); place is "" for the log's own site and epoch, else `site/epoch`"""


class Meant(NamedTuple):
    """A move, and what it would do to the books if they can bear it; None where no database can hold its names."""

    seq: int
    position: int
    business_date: str
    move: Move
    transfer: Transfer | None


class Running(dict[LedgerKey, list[int]]):
    """[debits, credits] of each ledger account, as the batch moves them; 0 where there is no account yet."""

    def __missing__(self, key: LedgerKey) -> list[int]:
        self[key] = [0, 0]
        return self[key]


@dataclass(slots=True)
class Plan:
    """What is to be written. ledger: all accounts, as they stand afterwards.

    leases: (granted, used, returned, freed) more.
    """

    ledger: Running
    transfers: list[tuple[int, int, LedgerKey, LedgerKey, int, str]] = field(default_factory=list)
    leases: dict[LeaseKey, list[int]] = field(default_factory=dict)
    counters: dict[CounterKey, int] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)


def plan(log: Log, moves: Iterable[Meant], held: Mapping[LedgerKey, Held], counters: Mapping[CounterKey, int]) -> Plan:
    """Post these moves in order onto the balances `held` and the counters as they stood before."""
    made = Plan(Running({key: [row.debits, row.credits] for key, row in held.items()}))
    for meant in moves:
        found = _post_move(made, log, counters, meant)
        if found is not None:
            made.quarantined.append(Quarantined(meant.seq, meant.position, *found))
    return made


def _post_move(made: Plan, log: Log, counters: Mapping[CounterKey, int], meant: Meant) -> tuple[str, str] | None:
    """Add one move to the plan. The code and reason when it could not be posted as meant."""
    seq, position, business_date, move, transfer = meant
    if transfer is None:
        return "unreadable-name", f"a name in the move holds a NUL character: {move!r}; nothing was posted"
    amount = move.amount
    counter = books.counter_key(move)
    before = made.counters.get(counter)
    if before is None:
        before = counters.get(counter, 0)
    made.counters[counter] = move.counter  # the log's own word: one bad move must not make all later ones bad
    found = None
    if move.counter != before + amount:
        found = ("counter-broken", f"expected counter {before} + {amount}, got {move.counter}")
    if amount == 0:
        return found

    debit, credit = (transfer.debit, transfer.asset), (transfer.credit, transfer.asset)
    debited = made.ledger[debit]
    if transfer.debit == books.QUARANTINE:
        found = ("not-understood", books.why_unknown(log.site, move))
    elif found is None and debited[1] - debited[0] < amount and transfer.debit.startswith(books.GUARDED):
        lacks = amount - (debited[1] - debited[0])
        found = ("overdrawn", f"{transfer.debit} lacks {lacks} of {amount} {transfer.asset}")
    if found is not None:
        transfer = books.quarantined(transfer)
        debit, credit = (transfer.debit, transfer.asset), (transfer.credit, transfer.asset)
        debited = made.ledger[debit]

    credited = made.ledger[credit]
    if debited[0] + amount > TOTAL_MAX or credited[1] + amount > TOTAL_MAX:
        return "too-large", f"{amount} {transfer.asset} is beyond what the books hold; nothing was posted"
    debited[0] += amount
    credited[1] += amount
    made.transfers.append((seq, position, debit, credit, amount, business_date))
    if found is None:
        _count_lease(made, move)
    return found


def _count_lease(made: Plan, move: Move) -> None:
    counted = _LEASE_COUNTERS.get(move.effect)
    if counted is not None:
        key = (move.place, move.account, move.asset)
        more = made.leases.get(key)
        if more is None:
            more = made.leases[key] = [0, 0, 0, 0]
        more[counted] += move.amount


_LEASE_COUNTERS: dict[str, int] = {
    Effect.GRANTED: 0,
    Effect.USED: 1,
    Effect.RETURNED: 2,
    Effect.FREED: 3,
    Effect.REPAID: 3,
}


def _storable(move: Move) -> bool:
    """PostgreSQL's text holds every character but NUL."""
    return not ("\x00" in move.effect or "\x00" in move.account or "\x00" in move.asset or "\x00" in move.place)


# --- reading and writing ---------------------------------------------------------------------------------------------


def post(connection: sa.Connection, log: Log, entries: Iterable[Entry], received_ms: int) -> Plan:
    """Post the moves of records just stored, in the caller's transaction, which holds the log's head."""
    moves = [
        Meant(
            entry.seq,
            position,
            entry.business_date,
            move,
            books.transfer_of(log.site, log.epoch, move) if _storable(move) else None,
        )
        for entry in entries
        for position, move in enumerate(entry.record.moves)
    ]
    if not moves:
        return Plan(Running())
    transfers = [meant.transfer for meant in moves if meant.transfer is not None]
    touched = {it.debit for it in transfers} | {it.credit for it in transfers}
    _hold_ledger(connection)
    held = _read_ledger(connection, touched | {books.QUARANTINE, books.UNKNOWN})
    accounts = sorted({meant.move.account for meant in moves if meant.transfer is not None})
    made = plan(log, moves, held, read_counters(connection, log, accounts))
    _write(connection, log, made, held, received_ms)
    return made


def _hold_ledger(connection: sa.Connection) -> None:
    """One transaction at a time posts, to its end. Rows locked one by one would not do: a batch's new accounts get
    their ids after it has locked the old ones, and an act may post twice, so that no order of rows holds for all.
    """
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(_LEDGER_LOCK)


_LEDGER_LOCK = sa.text(f"SELECT pg_advisory_xact_lock({int.from_bytes(b'ledger')})")


def _read_ledger(connection: sa.Connection, codes: Iterable[str]) -> dict[LedgerKey, Held]:
    """The rows of these ledger accounts; missing ones are not there yet."""
    rows = connection.execute(_LEDGER, {"codes": sorted(codes)})
    return {(code, asset): Held(*held) for code, asset, *held in rows}


_LEDGER = sa.select(*(schema.ledger.c[name] for name in ("code", "asset", "id", "debits", "credits"))).where(
    bulk.among(schema.ledger.c.code, "codes")
)


def read_counters(connection: sa.Connection, log: Log, accounts: Sequence[str]) -> dict[CounterKey, int]:
    """Where these accounts' counters of the log stand."""
    rows = connection.execute(_COUNTERS, {"log": log.id, "accounts": accounts})
    return {CounterKey(*row[:4]): row[4] for row in rows}


_COUNTERS = sa.select(*(schema.counters.c[name] for name in ("effect", "account", "asset", "place", "total"))).where(
    schema.counters.c.log == sa.bindparam("log"), bulk.among(schema.counters.c.account, "accounts")
)


def _write(connection: sa.Connection, log: Log, made: Plan, held: dict[LedgerKey, Held], received_ms: int) -> None:
    ids = _write_ledger(connection, made, held)
    bulk.insert(
        connection,
        schema.transfers,
        ("log", "seq", "position", "debit", "credit", "asset", "amount", "business_date"),
        [
            (log.id, seq, position, ids[debit], ids[credit], debit[1], amount, business_date)
            for seq, position, debit, credit, amount, business_date in made.transfers
        ],
    )
    bulk.upsert(
        connection,
        schema.counters,
        ("log", "effect", "account", "asset", "place", "total"),
        [(log.id, *key, total) for key, total in made.counters.items()],
        update=["total"],
    )
    _write_leases(connection, log, made.leases)
    bulk.insert(
        connection,
        schema.quarantine,
        ("log", "seq", "position", "code", "why", "received_ms"),
        [(log.id, *found, received_ms) for found in made.quarantined],
    )


def _write_ledger(connection: sa.Connection, made: Plan, held: dict[LedgerKey, Held]) -> dict[LedgerKey, int]:
    """Add the batch's sums to the balances, each account once; the ids of all accounts touched."""
    table = schema.ledger
    missing = [key for key, totals in made.ledger.items() if key not in held and any(totals)]
    found = dict[LedgerKey, Held]()
    if missing:
        columns = ("code", "asset", "debits", "credits")
        bulk.insert_missing(connection, table, columns, [(code, asset, 0, 0) for code, asset in missing])
        found = _read_ledger(connection, {code for code, _ in missing})
    more: list[tuple[int, int, int]] = []
    for key, (debits, credited) in made.ledger.items():
        before = held.get(key) or Held(found[key].id if key in found else 0, 0, 0)
        if debits != before.debits or credited != before.credits:
            more.append((before.id, debits - before.debits, credited - before.credits))
    bulk.add(connection, table, ["id"], ["debits", "credits"], sorted(more))
    return {key: row.id for key, row in (held | found).items()}


def _write_leases(connection: sa.Connection, log: Log, deltas: dict[LeaseKey, list[int]]) -> None:
    logs = {place: log.id if place == "" else _log_at(connection, place) for place in {key[0] for key in deltas}}
    rows = [(logs[place], account, asset, *delta) for (place, account, asset), delta in deltas.items()]
    bulk.add(connection, schema.leases, ["log", "account", "asset"], ["granted", "used", "returned", "freed"], rows)


def _log_at(connection: sa.Connection, place: str) -> int:
    site, _, epoch = place.rpartition("/")
    return int(connection.execute(_EPOCH, {"site": site, "epoch": int(epoch)}).scalar_one())


_EPOCH = sa.select(schema.epochs.c.id).where(
    schema.epochs.c.site == sa.bindparam("site"), schema.epochs.c.epoch == sa.bindparam("epoch")
)
