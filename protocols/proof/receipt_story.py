"""Which session do these records tell of? From its opening to its end.

A charge, a filling, a swap, a session at a port and a stay in a locker tell the same story, each of a place of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from protocols.trade.codec import NotCanonical, Wire, decode
from protocols.trade.records import (
    Hold,
    Move,
    Record,
    SessionClosed,
    SessionExtended,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    Stamp,
    body_of,
    session_id,
)
from protocols.trade.records_fuel import FillingClosed, FillingOpened, PumpTotals
from protocols.trade.records_pack import SwapClosed, SwapOpened, SwapStepped
from protocols.trade.records_port import (
    LockerClosed,
    LockerDoor,
    LockerOpened,
    LockerOverdue,
    LockerStored,
    PortClosed,
    PortOpened,
)

Opened = TypeVar("Opened", SessionOpened, FillingOpened, SwapOpened, PortOpened, LockerOpened)
Closed = TypeVar("Closed", SessionClosed, FillingClosed, SwapClosed, PortClosed, LockerClosed)
AnyOpened: TypeAlias = SessionOpened | FillingOpened | SwapOpened | PortOpened | LockerOpened
AnyClosed: TypeAlias = SessionClosed | FillingClosed | SwapClosed | PortClosed | LockerClosed

ENDS: Mapping[type[Wire], tuple[type[Wire], ...]] = {
    SessionOpened: (SessionClosed, SessionVoided),
    FillingOpened: (FillingClosed, SessionVoided),
    SwapOpened: (SwapClosed,),
    PortOpened: (PortClosed, SessionVoided),
    LockerOpened: (LockerClosed, SessionVoided),
}
"""What opens a session, and what may end it."""
BETWEEN: Mapping[type[Wire], tuple[type[Wire], ...]] = {
    SessionOpened: (SessionExtended, SessionHeld),
    FillingOpened: (SessionExtended, SessionHeld),
    SwapOpened: (SwapStepped,),
    PortOpened: (SessionExtended, SessionHeld),
    LockerOpened: (LockerStored, LockerDoor, LockerOverdue),
}
"""What may stand between opening and end."""


class NoStory(ValueError):
    """The records are not those of one session. `code`: for programs."""

    def __init__(self, code: str, seq: int) -> None:
        super().__init__(f"record {seq}: {code}")
        self.code = code
        self.seq = seq


@dataclass(frozen=True, slots=True)
class Delivery(Generic[Opened, Closed]):
    """One session as its records tell it. `closed` is None when nothing was delivered: it was voided."""

    site: str
    epoch: int
    seq: int  # of the opening record
    opened: Opened
    began: Stamp
    holds: tuple[Hold, ...]  # those of the opening and of every extension that is here
    closed: Closed | None
    moves: tuple[Move, ...]  # of the last record
    ended: Stamp

    @property
    def session(self) -> str:
        return session_id(self.site, self.epoch, self.seq)


@dataclass(frozen=True, slots=True)
class ChargeStory(Delivery[SessionOpened, SessionClosed]):
    """A charge at a connector."""


@dataclass(frozen=True, slots=True)
class FillingStory(Delivery[FillingOpened, FillingClosed]):
    """A filling at a pump."""

    @property
    def drawing_order(self) -> tuple[Hold, ...]:
        """The holds as they are drawn on: a guarantor's, the first, stands in for what all others leave."""
        return (*self.holds[1:], *self.holds[:1]) if self.opened.guaranteed else self.holds


@dataclass(frozen=True, slots=True)
class SwapStory(Delivery[SwapOpened, SwapClosed]):
    """A swap, a rent or a return at a cabinet. steps: in the log's order."""

    steps: tuple[SwapStepped, ...]


@dataclass(frozen=True, slots=True)
class PortStory(Delivery[PortOpened, PortClosed]):
    """A session at a charging port."""


@dataclass(frozen=True, slots=True)
class LockerStory(Delivery[LockerOpened, LockerClosed]):
    """A pack in a locker. acts: stored, and each time the door was opened once more, in the log's order."""

    acts: tuple[LockerStored | LockerDoor, ...]


Story: TypeAlias = ChargeStory | FillingStory | SwapStory | PortStory | LockerStory


def session_of(body: object) -> int | None:
    """Which session a record is about that is not its first; a stay in a locker is one. None: none."""
    found: int | None = getattr(body, "session", getattr(body, "stay", None))
    return found


def read_story(site: str, epoch: int, records: Sequence[tuple[int, bytes]]) -> Story:
    """From (seq, exact bytes) in the receipt's order: the opening first, the end last. Raises NoStory."""
    first_seq, before = records[0][0], -1
    bodies: list[Any] = []
    told: list[Record] = []
    for place, (seq, data) in enumerate(records):
        try:
            record = decode(data, Record)
            body = body_of(record)
        except NotCanonical:
            raise NoStory("not-canonical", seq) from None
        if seq <= before:
            raise NoStory("order", seq)
        before = seq
        allowed = _allowed(type(bodies[0]), last=place == len(records) - 1) if place else tuple(ENDS)
        if not isinstance(body, allowed):
            raise NoStory("kind", seq)
        if place and session_of(body) != first_seq:
            raise NoStory("another-session", seq)
        bodies.append(body)
        told.append(record)
    return _story(site, epoch, first_seq, bodies, told)


def _allowed(opening: type[Wire], *, last: bool) -> tuple[type[Wire], ...]:
    return ENDS[opening] if last else BETWEEN[opening]


def _story(site: str, epoch: int, seq: int, bodies: Sequence[Any], records: Sequence[Record]) -> Story:
    began, ended, moves = records[0].stamp, records[-1].stamp, tuple(records[-1].moves)
    holds = tuple(hold for body in bodies if not isinstance(body, SwapStepped) for hold in getattr(body, "holds", ()))
    match bodies[0], bodies[-1]:
        case SessionOpened() as opened, end:
            closed = end if isinstance(end, SessionClosed) else None
            return ChargeStory(site, epoch, seq, opened, began, holds, closed, moves, ended)
        case FillingOpened() as opened, end:
            filled = end if isinstance(end, FillingClosed) else None
            return FillingStory(site, epoch, seq, opened, began, holds, filled, moves, ended)
        case SwapOpened() as opened, end:
            swapped = end if isinstance(end, SwapClosed) else None
            steps = tuple(body for body in bodies if isinstance(body, SwapStepped))
            return SwapStory(site, epoch, seq, opened, began, holds, swapped, moves, ended, steps)
        case PortOpened() as opened, end:
            ported = end if isinstance(end, PortClosed) else None
            return PortStory(site, epoch, seq, opened, began, holds, ported, moves, ended)
        case LockerOpened() as opened, end:
            emptied = end if isinstance(end, LockerClosed) else None
            acts = tuple(body for body in bodies if isinstance(body, LockerStored | LockerDoor))
            return LockerStory(site, epoch, seq, opened, began, holds, emptied, moves, ended, acts)
    raise AssertionError("the first record is an opening")


def total_ml(totals: PumpTotals, nozzle: int) -> int | None:
    """A nozzle's totalizer. None: the pump has no such nozzle."""
    return next((one.volume_ml for one in totals.nozzles if one.nozzle == nozzle), None)
