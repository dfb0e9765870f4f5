"""What can go wrong with a simulated pile, its bills or its link, on command."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Annotated

import msgspec

from drivers.twins.fault_set import AnyFault, FaultSet, parse_fault


class PileFaultKind(Enum):
    """Every fault a pile can show. `amount` means what the comment says; the number in brackets is its default."""

    # Of its bills.
    BILL_REPEATED = "bill-repeated"  # comes `amount` times more although it was acknowledged (2)
    BILL_LATE = "bill-late"  # is first sent `amount` s after the end (600)
    BILL_DEAF = "bill-deaf"  # its acknowledgement is not heard
    BILL_LOST = "bill-lost"  # is never sent
    BILL_TWICE = "bill-twice"  # a second one for the same order, of `amount` Wh more (100), after the first is stored
    BILL_AMOUNT = "bill-amount"  # says `amount` fen too much (100)
    BILL_ENERGY = "bill-energy"  # says `amount` Wh too much, and its price (500)
    BILL_PRICE = "bill-price"  # reckons by prices that are `amount` thousandths of a fen dearer (10000)
    BILL_NO_ORDER = "bill-no-order"  # its order number is 0
    BILL_SEALED = "bill-sealed"  # is of version 1.7, with the meter's seal

    # Of its guns.
    REFUSE = "refuse"  # does not start, for the reason `amount` (3)
    NO_EFFECT = "no-effect"  # says that it has started, and has not
    LATE_PLUG = "late-plug"  # says that nothing is plugged in, and starts `amount` ms later (2000)
    STOP_DEAF = "stop-deaf"  # hears no stop
    SHOWS_IDLE = "shows-idle"  # says that it is idle while it charges
    OVERRUNS = "overruns"  # does not mind the balance
    ILL = "ill"  # its guns are faulty

    # Of its processor and its clock.
    REBOOT = "reboot"  # in mid-charge, `amount` s after its beginning (60); the charge ends, its bill is kept
    CLOCK_OFF = "clock-off"  # its clock is `amount` s fast (3600), whatever it is told
    PRICES_DEAF = "prices-deaf"  # takes no prices

    # Of its link.
    NO_HEARTBEAT = "no-heartbeat"  # of the highest gun
    MUTE = "mute"  # says nothing at all, and keeps the connection
    STILL_OPEN = "still-open"  # logs in on a second connection, and leaves the first as it is
    NOISE = "noise"  # `amount` random bytes before what it says (5)
    GARBLE = "garble"  # `amount` bits of it are turned (1)
    DRIBBLE = "dribble"  # it comes byte by byte, `amount` ms apart (1)


DEFAULT_AMOUNT = {
    PileFaultKind.BILL_REPEATED: 2,
    PileFaultKind.BILL_LATE: 600,
    PileFaultKind.BILL_TWICE: 100,
    PileFaultKind.BILL_AMOUNT: 100,
    PileFaultKind.BILL_ENERGY: 500,
    PileFaultKind.BILL_PRICE: 10_000,
    PileFaultKind.REFUSE: 3,
    PileFaultKind.LATE_PLUG: 2_000,
    PileFaultKind.REBOOT: 60,
    PileFaultKind.CLOCK_OFF: 3_600,
    PileFaultKind.NOISE: 5,
    PileFaultKind.GARBLE: 1,
    PileFaultKind.DRIBBLE: 1,
}


class PileFault(AnyFault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As `AnyFault`; until cleared, if nothing is said."""

    kind: PileFaultKind
    amount: Annotated[int, msgspec.Meta(ge=-1_000_000_000, le=1_000_000_000)] | None = None

    @property
    def size(self) -> int:
        """The amount ordered, else the kind's default, else 1."""
        return DEFAULT_AMOUNT.get(self.kind, 1) if self.amount is None else self.amount


class PileFaults(FaultSet[PileFaultKind, PileFault]):
    """The faults in force on one pile."""

    def spoil(self, data: bytes) -> bytes:
        """What goes on the wire."""
        if fault := self.take(PileFaultKind.GARBLE):
            data = self.turned(data, fault.size)
        if fault := self.take(PileFaultKind.NOISE):
            data = self.random.randbytes(fault.size) + data
        return data


def parse_pile_faults(words: Iterable[str]) -> list[PileFault]:
    """Faults from a command line: `kind[:count[:amount]]`; `*` or nothing as count is until cleared.

    Raises ValueError that names the kinds there are.
    """
    return [parse_fault(word, PileFault, PileFaultKind) for word in words]
