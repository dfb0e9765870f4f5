"""Do headquarters' tables say what the moves of a log say? Postings record by record, then counters and leases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from cloud import schema
from cloud.night import pinned
from cloud.night.reconcile.books import reconcile_accounts
from protocols.trade import books
from protocols.trade.books import CounterKey, LeaseCounters, Transfer
from protocols.trade.finding import Findings
from protocols.trade.records import Effect, Record

Place = tuple[int, int]
"""(seq, position of the move in its record)"""


class Postings:
    """The transfers of one log, a stretch of it at a time."""

    def __init__(self, connection: sa.Connection, head: sa.Row[Any], findings: Findings) -> None:
        self._connection = connection
        self._head = head
        self._find = findings.add
        self._transfers: dict[Place, Transfer] = {}
        self._reasons: dict[Place, str] = {}
        self._leases: dict[tuple[str, str], Counter[str]] = {}
        self._quarantined = 0

    def load(self, first_seq: int, end_seq: int) -> None:
        """The rows of these records; `compare` takes them away one by one."""
        table, debit, credit = schema.transfers, schema.ledger.alias(), schema.ledger.alias()
        columns = (table.c.seq, table.c.position, debit.c.code, credit.c.code, table.c.asset, table.c.amount)
        joined = table.join(debit, table.c.debit == debit.c.id).join(credit, table.c.credit == credit.c.id)
        within = (table.c.log == self._head.id) & (table.c.seq >= first_seq) & (table.c.seq < end_seq)
        for seq, position, *transfer in self._connection.execute(sa.select(*columns).select_from(joined).where(within)):
            self._transfers[seq, position] = Transfer(*transfer)
        table = schema.quarantine
        within = (table.c.log == self._head.id) & (table.c.seq >= first_seq) & (table.c.seq < end_seq)
        parked = sa.select(table.c.seq, table.c.position, table.c.code).where(within)
        for seq, position, code in self._connection.execute(parked):
            self._reasons[seq, position] = code

    def compare(self, seq: int, record: Record) -> None:
        """Each move that moves anything is posted once: as meant, or in quarantine with its reason."""
        for position, move in enumerate(record.moves):
            place = (seq, position)
            done, why = self._transfers.pop(place, None), self._reasons.pop(place, None)
            meant = books.transfer_of(self._head.site, self._head.epoch, move) if move.amount else None
            if why is not None:
                self._quarantined += 1
                if done is not None and meant is not None and done not in (meant, books.quarantined(meant)):
                    self._find("posting", seq, f"move {position}, in quarantine", str(meant), str(done))
            elif done != meant:
                self._find("posting", seq, f"move {position}", str(meant or "nothing"), str(done or "nothing"))
            elif move.effect in (Effect.USED, Effect.RETURNED):
                self._leases.setdefault((move.account, move.asset), Counter())[move.effect] += move.amount

    def unload(self) -> None:
        """What is left is posted in the name of records that mean nothing of the kind."""
        for (seq, position), transfer in sorted(self._transfers.items()):
            self._find("posting", seq, f"move {position}", "nothing", str(transfer))
        self._transfers.clear()
        self._reasons.clear()

    def conclude(self, counters: Mapping[CounterKey, int]) -> int:
        """Counters and leases as stored, against what the log leaves; how many moves are in quarantine."""
        self._counters({key: total for key, total in counters.items() if "\x00" not in "".join(key)})
        if self._head.site != books.HQ:
            self._compare_leases()
        return self._quarantined

    def _counters(self, expected: Mapping[CounterKey, int]) -> None:
        table = schema.counters
        columns = (table.c.effect, table.c.account, table.c.asset, table.c.place, table.c.total)
        rows = self._connection.execute(sa.select(*columns).where(table.c.log == self._head.id))
        stored = {CounterKey(*row[:4]): row[4] for row in rows}
        for key in sorted(expected.keys() | stored.keys()):
            if expected.get(key, 0) != stored.get(key, 0):
                what = f"counter `{key.effect}` of {key.account} in {key.asset}, as stored"
                self._find("books", None, what, str(expected.get(key, 0)), str(stored.get(key, 0)))

    def _compare_leases(self) -> None:
        table = schema.leases
        rows = self._connection.execute(sa.select(table).where(table.c.log == self._head.id))
        stored = {(row.account, row.asset): LeaseCounters(*self._of_row(row)) for row in rows}
        granted = self._granted()
        for key in sorted(stored.keys() | granted.keys() | self._leases.keys()):
            here, there = self._leases.get(key, Counter()), granted.get(key, Counter())
            freed = there[Effect.FREED] + there[Effect.REPAID]
            expected = LeaseCounters(there[Effect.GRANTED], here[Effect.USED], here[Effect.RETURNED], freed)
            got = stored.get(key, LeaseCounters())
            if expected != got:
                self._find("books", None, f"lease of {key[0]} in {key[1]}, as stored", _show(expected), _show(got))

    @staticmethod
    def _of_row(row: sa.Row[Any]) -> Iterator[int]:
        yield from (row.granted, row.used, row.returned, row.freed)

    def _granted(self) -> dict[tuple[str, str], Counter[str]]:
        """What headquarters' own log says of the leases here, by its counters."""
        table, epochs = schema.counters, schema.epochs
        own = sa.select(epochs.c.id).where(epochs.c.site == books.HQ)
        here = table.c.log.in_(own) & (table.c.place == f"{self._head.site}/{self._head.epoch}")
        columns = (table.c.account, table.c.asset, table.c.effect, table.c.total)
        found: dict[tuple[str, str], Counter[str]] = {}
        for account, asset, effect, total in self._connection.execute(sa.select(*columns).where(here)):
            if effect in (Effect.GRANTED, Effect.FREED, Effect.REPAID):
                found.setdefault((account, asset), Counter())[effect] += total
        return found


def verify_accounts(connection: sa.Connection) -> Findings:
    """Every account against all transfers, and the invariants of the books as a whole."""
    findings = Findings()
    ledger, leases = pinned.ledger(connection), pinned.leases(connection)
    table = schema.transfers
    named = set(connection.scalars(sa.union(sa.select(table.c.debit), sa.select(table.c.credit))))
    if gone := sorted(named - ledger.codes.keys()):
        findings.add("books", None, "ledger accounts that transfers name", "there", f"rows {gone} are gone")
        return findings
    summed = pinned.summed(connection, ledger.codes)
    for found in reconcile_accounts(
        ledger.balances, summed, leases, told=leases
    ):  # each log has been held against them
        findings.add("books", None, f"{found.subject}: {found.source}", "that they agree", found.detail)
    return findings


def _show(counters: LeaseCounters) -> str:
    return f"granted {counters.granted}, used {counters.used}, returned {counters.returned}, freed {counters.freed}"
