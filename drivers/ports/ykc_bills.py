"""Which bills of a pile wait to be acknowledged, and which have been? Pure.

A pile repeats a bill until it is told that it is stored. The same bill is known by everything in it but the time at
which it was sent. Two different bills with one order number are two.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from enum import Enum
from typing import Final

from drivers.port_board import Settlement
from drivers.ports.ykc_says import settlement_of
from protocols.fieldbus.ykc_money import Bill

WAITING_MAX: Final = 200
"""Bills of one pile. What comes beyond is not taken: the pile keeps it and sends it again."""
STORED_MAX: Final = 1_000
"""Bills that are known to be stored, so that a repeat is answered at once. Older ones are told upwards again, where
the journal knows them."""


class Came(Enum):
    """What a bill that came is."""

    NEW = "new"
    AGAIN = "again"  # waits already
    STORED = "stored"  # it has been acknowledged, and may be answered at once
    TOO_MANY = "too many"


class Bills:
    """Those of one pile. What waits is kept over connections."""

    def __init__(self, utc_offset_min: int) -> None:
        self._utc_offset_min = utc_offset_min
        self._waiting: dict[Bill, Settlement] = {}
        self._stored: OrderedDict[Bill, None] = OrderedDict()

    def take(self, bill: Bill, peak_w: int | None = None) -> Came:
        """A bill came. peak_w: what was seen of its charge; None: nothing."""
        key = ticket_of(bill)
        if key in self._stored:
            return Came.STORED
        if key in self._waiting:
            return Came.AGAIN
        if len(self._waiting) >= WAITING_MAX:
            return Came.TOO_MANY
        self._waiting[key] = replace(settlement_of(bill, self._utc_offset_min), ticket=key, peak_w=peak_w)
        return Came.NEW

    def waiting(self) -> list[Settlement]:
        """Oldest first, as they came."""
        return list(self._waiting.values())

    def store(self, bill: Bill) -> None:
        """It is durably stored. bill: a settlement's ticket."""
        self._waiting.pop(bill, None)
        self._stored[bill] = None
        while len(self._stored) > STORED_MAX:
            self._stored.popitem(last=False)

    def has(self, order: str) -> bool:
        """Whether a bill of this order came: it is over."""
        return any(bill.order == order for known in (self._waiting, self._stored) for bill in known)


def ticket_of(bill: Bill) -> Bill:
    """What a bill is known by."""
    return replace(bill, billed_at=None)
