"""Leg 3: is what customers are owed now what they were owed before, plus paid in, less used and paid out?

Both sides come from different places: the flows from the records' moves, the closing balance from the accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cloud.reconcile.findings import Finding, Leg
from protocols.trade.books import Books, Transfer
from protocols.trade.records import CNY


class RollForward(msgspec.Struct, frozen=True):
    """One asset's liability over a run, in its smallest unit: opening + paid_in - used - paid_out = closing.

    used counts what was captured from leases; goods delivered beyond a hold are owed by the operator and change no
    liability. parked is a part of closing: value in suspense, which is the customers' until a person decides.
    """

    asset: str
    opening: int
    paid_in: int
    used: int
    paid_out: int
    closing: int
    customers: int
    leases: int
    parked: int

    @property
    def expected(self) -> int:
        return self.opening + self.paid_in - self.used - self.paid_out

    @property
    def difference(self) -> int:
        return self.expected - self.closing


def roll_forward(asset: str, opening: int, flows: Iterable[Transfer], books: Books) -> RollForward:
    """The roll-forward of one asset. flows: what the records since the opening mean. books: balances now.

    A capture that was quarantined is owed by suspense and not by its lease, so parked is what suspense:quarantine has
    been credited less debited: below zero by what was delivered and charged to nobody yet.
    """
    paid_in = used = paid_out = 0
    for it in flows:
        if it.asset != asset:
            continue
        if it.debit.startswith("channel:"):
            paid_in += it.amount
        elif it.credit.startswith("channel:"):
            paid_out += it.amount
        elif it.debit.startswith("lease:") and it.credit.startswith("revenue:"):
            used += it.amount
    customers = _owed(books, asset, "cust:")
    leases = _owed(books, asset, "lease:")
    parked = _owed(books, asset, "suspense:")
    closing = customers + leases + parked
    return RollForward(asset, opening, paid_in, used, paid_out, closing, customers, leases, parked)


def reconcile_liability(rolls: Iterable[RollForward]) -> Iterator[Finding]:
    """Findings of leg 3: one for each asset that does not roll forward."""
    for roll in rolls:
        if roll.difference:
            yield Finding(
                code="roll-forward-differs",
                leg=Leg.LIABILITY,
                site="",
                subject=roll.asset,
                source="moves of all logs / balances of customers, leases and suspense",
                detail=f"{roll.opening} + {roll.paid_in} - {roll.used} - {roll.paid_out} = {roll.expected}, "
                f"balances are {roll.closing}",
                difference_fen=roll.difference if roll.asset == CNY else None,
            )


def _owed(books: Books, asset: str, prefix: str) -> int:
    return sum(held.owed for (code, its), held in books.items() if its == asset and code.startswith(prefix))
