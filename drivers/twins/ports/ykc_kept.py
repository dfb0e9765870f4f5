"""How does a simulated pile keep a bill until it is acknowledged?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from protocols.fieldbus import ykc_money as money


@dataclass(slots=True)
class Kept:
    """A bill in the pile's memory. tries: how often it was sent on this connection. repeats: after it was stored."""

    message: money.Bill | money.SealedBill
    due_ms: int
    tries: int = 0
    repeats: int | None = None

    @property
    def order(self) -> str:
        return bill_in(self.message).order


def bill_in(message: money.Bill | money.SealedBill) -> money.Bill:
    return message.bill if isinstance(message, money.SealedBill) else message


def stamped(message: money.Bill | money.SealedBill, at: datetime) -> money.Bill | money.SealedBill:
    """A bill says when it was sent."""
    if isinstance(message, money.SealedBill):
        return replace(message, bill=replace(message.bill, billed_at=at))
    return replace(message, billed_at=at)
