"""Leg 3: is what customers are owed now what they were owed before, plus what came in, less what was used or went out?

Both sides come from different places: the flows from the records' moves, the closing balance from the accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from cloud.night.reconcile.findings import Finding, Leg
from protocols.trade.books import OPERATOR_RISK, Books, Transfer
from protocols.trade.records import CNY

_OWED = ("cust:", "lease:", "deposit:")
_EARNED = ("revenue:", "prepaid:")


class RollForward(msgspec.Struct, frozen=True):
    """One asset's liability over a run, in its smallest unit:

        opening + paid_in + loaned - used - paid_out - repaid = closing
        closing = customers + leases + deposits + refunds + parked

    used counts what was captured from leases, paid for plans and kept of deposits, less what was given back of that;
    goods delivered beyond a hold are owed by the operator and change no liability. loaned and repaid are with the
    operator's own risk account. parked is value in suspense, which is the customers' until a person decides.
    """

    asset: str
    opening: int
    paid_in: int
    used: int
    paid_out: int
    loaned: int
    repaid: int
    closing: int
    customers: int
    leases: int
    deposits: int
    refunds: int
    parked: int

    @property
    def expected(self) -> int:
        return self.opening + self.paid_in + self.loaned - self.used - self.paid_out - self.repaid

    @property
    def difference(self) -> int:
        return self.expected - self.closing


class Flows(NamedTuple):
    """What moved in one asset; all at least 0 but `used`, from which a deposit that was kept wrongly is taken off."""

    paid_in: int = 0
    used: int = 0
    paid_out: int = 0
    loaned: int = 0
    repaid: int = 0

    @property
    def owed(self) -> int:
        """By how much they raise what customers are owed."""
        return self.paid_in + self.loaned - self.used - self.paid_out - self.repaid


def add_flows(flows: dict[str, Flows], meant: Iterable[Transfer]) -> None:
    """Count what records mean into `flows`, by asset. Grants, returns, refunds due, and deposits taken or given
    back change nothing that is owed.
    """
    for it in meant:
        before = flows.get(it.asset, Flows())
        if it.debit.startswith("channel:"):
            flows[it.asset] = before._replace(paid_in=before.paid_in + it.amount)
        elif it.credit.startswith("channel:"):
            flows[it.asset] = before._replace(paid_out=before.paid_out + it.amount)
        elif it.debit.startswith(_OWED) and it.credit.startswith(_EARNED):
            flows[it.asset] = before._replace(used=before.used + it.amount)
        elif it.debit.startswith(_EARNED) and it.credit.startswith(_OWED):
            flows[it.asset] = before._replace(used=before.used - it.amount)
        elif it.debit == OPERATOR_RISK and it.credit.startswith("cust:"):
            flows[it.asset] = before._replace(loaned=before.loaned + it.amount)
        elif it.credit == OPERATOR_RISK:
            flows[it.asset] = before._replace(repaid=before.repaid + it.amount)


def roll_forward(asset: str, opening: int, flows: Flows, books: Books) -> RollForward:
    """The roll-forward of one asset. opening: what customers were owed before `flows`. books: balances now.

    A capture that was quarantined is owed by suspense and not by its lease, so parked is what suspense was credited
    less debited: below zero by what was delivered and charged to nobody yet.
    """
    customers = _owed(books, asset, "cust:")
    leases = _owed(books, asset, "lease:")
    deposits = _owed(books, asset, "deposit:")
    refunds = _owed(books, asset, "refund:")
    parked = _owed(books, asset, "suspense:")
    closing = customers + leases + deposits + refunds + parked
    return RollForward(asset, opening, *flows, closing, customers, leases, deposits, refunds, parked)


def reconcile_liability(rolls: Iterable[RollForward]) -> Iterator[Finding]:
    """Findings of leg 3: one for each asset that does not roll forward."""
    for roll in rolls:
        if roll.difference:
            yield Finding(
                code="roll-forward-differs",
                leg=Leg.LIABILITY,
                site="",
                subject=roll.asset,
                source="moves of all logs / balances of customers, leases, deposits, refunds and suspense",
                detail=f"{roll.opening} + {roll.paid_in} + {roll.loaned} - {roll.used} - {roll.paid_out} "
                f"- {roll.repaid} = {roll.expected}, balances are {roll.closing}",
                difference_fen=roll.difference if roll.asset == CNY else None,
            )


def reconcile_opening(openings: Mapping[str, int], told: Mapping[str, int]) -> Iterator[Finding]:
    """What the records give for the opening, by asset, against the closing that the previous report had from them."""
    for asset, closing in sorted(told.items()):
        opening = openings.get(asset, 0)
        if opening != closing:
            yield Finding(
                code="opening-differs",
                leg=Leg.LIABILITY,
                site="",
                subject=asset,
                source="records up to the previous report's pins / that report's closing",
                detail=f"the records give {opening}, the previous report had {closing}",
                difference_fen=opening - closing if asset == CNY else None,
            )


def _owed(books: Books, asset: str, prefix: str) -> int:
    return sum(held.owed for (code, its), held in books.items() if its == asset and code.startswith(prefix))
