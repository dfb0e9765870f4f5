"""What do a log's new records do to the books, and how is that written once?

`plan` decides and is pure; `post` reads what it needs, asks it, and writes the answer in bulk. A move that cannot be
posted as meant is posted to suspense with its reason and never holds up those behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

import sqlalchemy as sa

from cloud import schema, store
from protocols.trade import books
from protocols.trade.books import CounterKey
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


@dataclass(slots=True)
class Plan:
    """What is to be written. Deltas are (debits, credits) and (granted, used, returned)."""

    transfers: list[tuple[int, int, LedgerKey, LedgerKey, int, str]] = field(default_factory=list)
    ledger: dict[LedgerKey, list[int]] = field(default_factory=dict)
    leases: dict[LeaseKey, list[int]] = field(default_factory=dict)
    counters: dict[CounterKey, int] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)


def plan(log: Log, entries: Iterable[Entry], held: dict[LedgerKey, Held], counters: dict[CounterKey, int]) -> Plan:
    """Post these records' moves in order onto the balances `held` and the counters as they stood before."""
    made = Plan()
    for seq, record, business_date in entries:
        for position, move in enumerate(record.moves):
            found = _post_move(made, log, held, counters, seq, position, move, business_date)
            if found is not None:
                made.quarantined.append(Quarantined(seq, position, *found))
    return made


def _post_move(
    made: Plan,
    log: Log,
    held: dict[LedgerKey, Held],
    counters: dict[CounterKey, int],
    seq: int,
    position: int,
    move: Move,
    business_date: str,
) -> tuple[str, str] | None:
    """Add one move to the plan. The code and reason when it could not be posted as meant."""
    if not _storable(move):
        return "unreadable-name", f"a name in the move holds a NUL character: {move!r}; nothing was posted"
    counter = books.counter_key(move)
    before = made.counters.get(counter)
    if before is None:
        before = counters.get(counter, 0)
    made.counters[counter] = move.counter  # the log's own word: one bad move must not make all later ones bad
    found = None
    if move.counter != before + move.amount:
        found = ("counter-broken", f"expected counter {before} + {move.amount}, got {move.counter}")
    if move.amount == 0:
        return found

    transfer = books.transfer_of(log.site, log.epoch, move)
    if transfer.debit == books.QUARANTINE:
        found = ("not-understood", books.why_unknown(log.site, move))
    elif found is None and (missing := _missing(made, held, transfer)):
        found = ("overdrawn", f"{transfer.debit} lacks {missing} of {transfer.amount} {transfer.asset}")
    if found is not None:
        transfer = _into_suspense(transfer)

    debit, credit = (transfer.debit, transfer.asset), (transfer.credit, transfer.asset)
    if not (_fits(made, held, debit, 0, transfer.amount) and _fits(made, held, credit, 1, transfer.amount)):
        return "too-large", f"{transfer.amount} {transfer.asset} is beyond what the books hold; nothing was posted"
    made.ledger.setdefault(debit, [0, 0])[0] += transfer.amount
    made.ledger.setdefault(credit, [0, 0])[1] += transfer.amount
    made.transfers.append((seq, position, debit, credit, transfer.amount, business_date))
    if found is None:
        _count_lease(made, move)
    return found


def _into_suspense(transfer: books.Transfer) -> books.Transfer:
    """As books.quarantined; but what a site says it gave back is no money for a customer until a person agrees."""
    if transfer.credit.startswith("cust:"):
        return books.Transfer(books.QUARANTINE, books.UNKNOWN, transfer.asset, transfer.amount)
    return books.quarantined(transfer)


def _missing(made: Plan, held: dict[LedgerKey, Held], transfer: books.Transfer) -> int:
    """How much a customer or a lease lacks to bear the debit; 0 when it can."""
    if not transfer.debit.startswith(("cust:", "lease:")):
        return 0
    key = (transfer.debit, transfer.asset)
    row, delta = held.get(key), made.ledger.get(key)
    owed = (row.credits - row.debits if row else 0) + (delta[1] - delta[0] if delta else 0)
    return max(0, transfer.amount - owed)


def _fits(made: Plan, held: dict[LedgerKey, Held], key: LedgerKey, side: int, amount: int) -> bool:
    row, delta = held.get(key), made.ledger.get(key)
    return (row[1 + side] if row else 0) + (delta[side] if delta else 0) + amount <= TOTAL_MAX


def _count_lease(made: Plan, move: Move) -> None:
    if move.effect == Effect.USED:
        made.leases.setdefault(("", move.account, move.asset), [0, 0, 0])[1] += move.amount
    elif move.effect == Effect.RETURNED:
        made.leases.setdefault(("", move.account, move.asset), [0, 0, 0])[2] += move.amount
    elif move.effect == Effect.GRANTED:
        made.leases.setdefault((move.place, move.account, move.asset), [0, 0, 0])[0] += move.amount


def _storable(move: Move) -> bool:
    """PostgreSQL's text holds every character but NUL."""
    return "\x00" not in move.effect + move.account + move.asset + move.place


# --- reading and writing ---------------------------------------------------------------------------------------------


def post(connection: sa.Connection, log: Log, entries: Sequence[Entry], received_ms: int) -> Plan:
    """Post the moves of records just stored, in the caller's transaction, which holds the log's head."""
    moves = [move for entry in entries for move in entry.record.moves if _storable(move)]
    if not any(entry.record.moves for entry in entries):
        return Plan()
    held = _lock_ledger(connection, _codes(log, moves))
    counters = read_counters(connection, log, sorted({move.account for move in moves}))
    made = plan(log, entries, held, counters)
    _write(connection, log, made, held, received_ms)
    return made


def _codes(log: Log, moves: Iterable[Move]) -> list[LedgerKey]:
    """Every ledger account that posting these moves may touch, for locking all at once."""
    keys: set[LedgerKey] = set()
    for move in moves:
        transfer = books.transfer_of(log.site, log.epoch, move)
        keys.add((transfer.debit, move.asset))
        keys.add((transfer.credit, move.asset))
    for asset in {move.asset for move in moves}:
        keys.add((books.QUARANTINE, asset))
        keys.add((books.UNKNOWN, asset))
    return sorted(keys)


def _lock_ledger(connection: sa.Connection, keys: Sequence[LedgerKey]) -> dict[LedgerKey, Held]:
    """The rows of these ledger accounts, locked in the order of their ids; missing ones are not there yet."""
    table = schema.ledger
    ids: list[int] = []
    for chunk in store.in_chunks(sorted({code for code, _ in keys})):
        ids += connection.scalars(sa.select(table.c.id).where(table.c.code.in_(chunk)))
    held: dict[LedgerKey, Held] = {}
    for chunk in store.in_chunks(sorted(ids)):
        query = sa.select(table).where(table.c.id.in_(chunk)).order_by(table.c.id).with_for_update()
        for row in connection.execute(query):
            held[row.code, row.asset] = Held(row.id, row.debits, row.credits)
    return held


def read_counters(connection: sa.Connection, log: Log, accounts: Sequence[str]) -> dict[CounterKey, int]:
    """Where these accounts' counters of the log stand."""
    table = schema.counters
    counters: dict[CounterKey, int] = {}
    for chunk in store.in_chunks(accounts):
        query = sa.select(table).where(table.c.log == log.id, table.c.account.in_(chunk))
        for row in connection.execute(query):
            counters[CounterKey(row.effect, row.account, row.asset, row.place)] = row.total
    return counters


def _write(connection: sa.Connection, log: Log, made: Plan, held: dict[LedgerKey, Held], received_ms: int) -> None:
    ids = _write_ledger(connection, made.ledger, held)
    rows = [
        (log.id, seq, position, ids[debit], ids[credit], debit[1], amount, business_date)
        for seq, position, debit, credit, amount, business_date in made.transfers
    ]
    columns = ("log", "seq", "position", "debit", "credit", "asset", "amount", "business_date")
    store.insert_many(connection, schema.transfers, columns, rows)
    store.upsert(
        connection,
        schema.counters,
        [{"log": log.id, **key._asdict(), "total": total} for key, total in made.counters.items()],
        update=["total"],
    )
    _write_leases(connection, log, made.leases)
    store.insert_missing(
        connection,
        schema.quarantine,
        [{"log": log.id, "received_ms": received_ms, **found._asdict()} for found in made.quarantined],
    )


def _write_ledger(
    connection: sa.Connection, deltas: dict[LedgerKey, list[int]], held: dict[LedgerKey, Held]
) -> dict[LedgerKey, int]:
    """Add the batch's sums to the balances, each account once; the ids of all accounts touched."""
    table = schema.ledger
    if not deltas:
        return {}
    missing = [key for key in deltas if key not in held]
    if missing:
        zero = {"debits": 0, "credits": 0}
        store.insert_missing(connection, table, [{"code": code, "asset": asset, **zero} for code, asset in missing])
        held = held | _lock_ledger(connection, missing)
    change = (
        table.update()
        .where(table.c.id == sa.bindparam("row"))
        .values(
            debits=table.c.debits + sa.bindparam("more_debits"), credits=table.c.credits + sa.bindparam("more_credits")
        )
    )
    rows = [
        {"row": held[key].id, "more_debits": debit, "more_credits": credit} for key, (debit, credit) in deltas.items()
    ]
    connection.execute(change, sorted(rows, key=itemgetter("row")))
    return {key: held[key].id for key in deltas}


def _write_leases(connection: sa.Connection, log: Log, deltas: dict[LeaseKey, list[int]]) -> None:
    table = schema.leases
    if not deltas:
        return
    logs = {place: log.id if place == "" else _log_at(connection, place) for place in {key[0] for key in deltas}}
    change = (
        table.update()
        .where(
            table.c.log == sa.bindparam("at"),
            table.c.account == sa.bindparam("whose"),
            table.c.asset == sa.bindparam("what"),
        )
        .values(
            granted=table.c.granted + sa.bindparam("g"),
            used=table.c.used + sa.bindparam("u"),
            returned=table.c.returned + sa.bindparam("r"),
        )
    )
    rows = [
        {"at": logs[place], "whose": account, "what": asset, "g": granted, "u": used, "r": returned}
        for (place, account, asset), (granted, used, returned) in deltas.items()
    ]
    connection.execute(change, rows)


def _log_at(connection: sa.Connection, place: str) -> int:
    site, _, epoch = place.rpartition("/")
    query = sa.select(schema.epochs.c.id).where(schema.epochs.c.site == site, schema.epochs.c.epoch == int(epoch))
    return int(connection.execute(query).scalar_one())
