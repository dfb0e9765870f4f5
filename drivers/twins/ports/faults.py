"""What can go wrong with a simulated port board and its link, on command and by name."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Annotated

import msgspec

from drivers.twins.fault_set import AnyFault, Count, FaultSet, parse_fault


class PortFaultKind(Enum):
    """Every fault a board can show. `amount` means what the comment says; the number in brackets is its default."""

    # On the way: each frame that the board says.
    LOST = "lost"  # does not arrive
    GARBLE = "garble"  # `amount` bits of it are turned (1)
    NOISE = "noise"  # `amount` random bytes before it (5)
    SHORT = "short"  # its last `amount` bytes are missing (1)
    DUPLICATE = "duplicate"  # comes twice

    # In the dialogue.
    LOST_ANSWER = "lost-answer"  # does what it is told, and its answer does not arrive
    REFUSE = "refuse"  # refuses to switch, with the code `amount` (3, which means done all the same)
    DEAF = "deaf"  # hears nothing for `amount` ms (60000)
    LINK_LOSS = "link-loss"  # its connection ends; it calls again `amount` ms later (5000)
    FOREIGN = "foreign"  # says its next frame under another number
    FORGETS_SETTINGS = "forgets-settings"  # takes thresholds and does not keep them

    # In the world.
    POWER_CUT = "power-cut"  # dark for `amount` ms (5000)
    SMOKE = "smoke"  # for `amount` ms (60000), at `port`
    WATER = "water"
    WELDED = "welded"  # the relay of `port` stays closed
    OVERLOAD = "overload"  # the load on `port` grows by `amount` W (3000)
    UNPLUG = "unplug"  # what is on `port` is pulled out
    SPRUNG = "sprung"  # the door of `port` comes open


WORLD = frozenset(
    {
        PortFaultKind.POWER_CUT,
        PortFaultKind.SMOKE,
        PortFaultKind.WATER,
        PortFaultKind.WELDED,
        PortFaultKind.OVERLOAD,
        PortFaultKind.UNPLUG,
        PortFaultKind.SPRUNG,
    }
)

DEFAULT_AMOUNT = {
    PortFaultKind.GARBLE: 1,
    PortFaultKind.NOISE: 5,
    PortFaultKind.SHORT: 1,
    PortFaultKind.REFUSE: 3,
    PortFaultKind.DEAF: 60_000,
    PortFaultKind.LINK_LOSS: 5_000,
    PortFaultKind.POWER_CUT: 5_000,
    PortFaultKind.SMOKE: 60_000,
    PortFaultKind.OVERLOAD: 3_000,
}


class PortFault(AnyFault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As `AnyFault`; once, if nothing is said."""

    kind: PortFaultKind
    count: Count | None = 1
    amount: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] | None = None
    port: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1

    @property
    def amount_or_usual(self) -> int:
        return DEFAULT_AMOUNT.get(self.kind, 0) if self.amount is None else self.amount


class PortFaults(FaultSet[PortFaultKind, PortFault]):
    """The faults in force on one board."""

    def spoil(self, frame: bytes) -> bytes:
        """What arrives of a frame."""
        kinds = PortFaultKind
        if self.take(kinds.LOST):
            return b""
        if fault := self.take(kinds.GARBLE):
            frame = self.turned(frame, fault.amount_or_usual)
        if fault := self.take(kinds.SHORT):
            frame = frame[: max(0, len(frame) - fault.amount_or_usual)]
        if fault := self.take(kinds.NOISE):
            frame = self.random.randbytes(fault.amount_or_usual) + frame
        return frame * 2 if self.take(kinds.DUPLICATE) else frame


def parse_port_faults(words: Iterable[str]) -> list[PortFault]:
    """Faults from a command line: `kind[@port][:count[:amount]]`; `*` as count is until cleared. Raises ValueError."""
    return [parse_fault(word, PortFault, PortFaultKind, ports=True, once=True) for word in words]
