"""YKC (云快充) 1.6: how do a charging pile and its platform talk over one TCP connection?

The pile calls and logs in; here the gateway is its platform. `Connection` is either end of it:

    platform = Connection(End.PLATFORM)
    platform.receive_data(data)
    while (event := platform.next_event()) is not NEED_MORE:
        if isinstance(event, Heard) and isinstance(event.message, Login):
            out = platform.answer(event, LoginAnswer(event.message.pile, welcome=True))

It keeps no session: what must follow what, and within which time, is the driver's affair; the times are below. Piles
of later versions and of other makers send more bytes in some messages. What is not of the known length is told as
`Unread`, never guessed at. What a maker's messages look like is said by `Fork`s: kind and length choose among them.
(facts: chargers_meters chapter 6.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, Protocol

from protocols.fieldbus import ykc_bms as bms
from protocols.fieldbus import ykc_money as money
from protocols.fieldbus import ykc_session as session
from protocols.fieldbus import ykc_upkeep as upkeep
from protocols.fieldbus.expect import NEED_MORE, NeedMore
from protocols.fieldbus.hunt import Bad, FrameReader
from protocols.fieldbus.ykc_fields import Layout, Unreadable
from protocols.fieldbus.ykc_frames import LENGTH_MAX, Frame, cutter, encode_frame

HEARTBEAT_S: Final = 10
HEARTBEATS_MISSED_MAX: Final = 3  # then the pile is gone, or logs in again
STATE_CHARGING_S: Final = 15
STATE_IDLE_S: Final = 300
START_SHOWN_S: Final = 90  # from Start to a State that shows CHARGING
PLUG_WAIT_S: Final = 60  # from Start to the plug, after a refusal for want of it
BILL_WITHIN_S: Final = 30  # of the end
BILL_RETRY_S: Final = 30
BILL_RETRIES: Final = 3
BILL_LAST_RETRY_S: Final = 300  # once more after the retries, and then whatever comes back

ORDER_COUNTER_MAX: Final = 9999


class _Layout(Protocol):
    def read(self, data: bytes) -> Any: ...

    def write(self, message: Any) -> bytes: ...


KINDS: Final[Mapping[int, type]] = {
    0x01: session.Login, 0x02: session.LoginAnswer, 0x03: session.Heartbeat, 0x04: session.HeartbeatAnswer,
    0x05: money.PriceCheck, 0x06: money.PriceCheckAnswer, 0x09: money.PriceRequest, 0x0A: money.PriceAnswer,
    0x12: session.ReadState, 0x13: session.State,
    0x15: bms.Handshake, 0x17: bms.Parameters, 0x19: bms.ChargeEnd, 0x1B: bms.Errors,
    0x1D: bms.BatteryStops, 0x21: bms.ChargerStops, 0x23: bms.Demand, 0x25: bms.BatteryState,
    0x31: session.StartRequest, 0x32: session.StartAnswer, 0x34: session.Start, 0x33: session.StartResult,
    0x36: session.Stop, 0x35: session.StopResult,
    0x3B: money.Bill, 0x3D: money.SealedBill, 0x40: money.BillAnswer,
    0x42: session.SetBalance, 0x41: session.SetBalanceAnswer,
    0x44: upkeep.AddCards, 0x43: upkeep.AddCardsAnswer, 0x46: upkeep.RemoveCards, 0x45: upkeep.RemoveCardsAnswer,
    0x48: upkeep.FindCards, 0x47: upkeep.FindCardsAnswer,
    0x52: upkeep.SetLimits, 0x51: upkeep.SetLimitsAnswer, 0x56: session.SetTime, 0x55: session.SetTimeAnswer,
    0x58: money.SetPrices, 0x57: money.SetPricesAnswer,
    0x61: upkeep.BayState, 0x62: upkeep.MoveBayLock, 0x63: upkeep.MoveBayLockAnswer,
    0x92: upkeep.Reboot, 0x91: upkeep.RebootAnswer, 0x94: upkeep.Update, 0x93: upkeep.UpdateAnswer,
    0xA1: upkeep.PairRequest, 0xA2: upkeep.PairAnswer, 0xA4: upkeep.PairStart, 0xA3: upkeep.PairStartResult,
    0xF0: upkeep.SetQrPrefix, 0xF1: upkeep.SetQrPrefixAnswer,
}  # fmt: skip
"""What a kind byte means."""

ANSWERS: Final[Mapping[type, type]] = {
    session.Login: session.LoginAnswer,
    session.Heartbeat: session.HeartbeatAnswer,
    money.PriceCheck: money.PriceCheckAnswer,
    money.PriceRequest: money.PriceAnswer,
    session.ReadState: session.State,
    session.StartRequest: session.StartAnswer,
    session.Start: session.StartResult,
    session.Stop: session.StopResult,
    money.Bill: money.BillAnswer,
    money.SealedBill: money.BillAnswer,
    session.SetBalance: session.SetBalanceAnswer,
    upkeep.AddCards: upkeep.AddCardsAnswer,
    upkeep.RemoveCards: upkeep.RemoveCardsAnswer,
    upkeep.FindCards: upkeep.FindCardsAnswer,
    upkeep.SetLimits: upkeep.SetLimitsAnswer,
    session.SetTime: session.SetTimeAnswer,
    money.SetPrices: money.SetPricesAnswer,
    upkeep.MoveBayLock: upkeep.MoveBayLockAnswer,
    upkeep.Reboot: upkeep.RebootAnswer,
    upkeep.Update: upkeep.UpdateAnswer,
    upkeep.PairRequest: upkeep.PairAnswer,
    upkeep.PairStart: upkeep.PairStartResult,
    upkeep.SetQrPrefix: upkeep.SetQrPrefixAnswer,
}
"""The answer to each message that has one. All else is told, not asked."""

_LAYOUTS: Final[Mapping[type, tuple[int, _Layout]]] = {
    message: (kind, money.SealedBillLayout() if message is money.SealedBill else Layout(message))
    for kind, message in KINDS.items()
}


@dataclass(frozen=True, slots=True)
class Fork:
    """A message of a maker's own version. message: a class like those in KINDS, which answers and is answered like
    `like`, and has its kind."""

    message: type
    like: type


class End(Enum):
    """Which end of the connection."""

    PILE = 1
    PLATFORM = 0

    def says(self, kind: int) -> bool:
        """Piles say odd kinds, platforms even ones."""
        return kind & 1 == self.value


class Why(Enum):
    """Why a sound frame was not read."""

    ENCRYPTED = "its body is encrypted, and no source says how"
    WRONG_END = "only this end says that"
    UNKNOWN_KIND = "no known kind"
    LENGTH = "not as long as its kind is"


@dataclass(frozen=True, slots=True)
class Heard:
    """message: of a class in KINDS. sequence: its answer's too."""

    sequence: int
    message: Any


@dataclass(frozen=True, slots=True)
class Unread:
    """A sound frame that nobody here understands."""

    frame: Frame
    why: Why


class Connection:
    """One end of one TCP connection; a new connection begins a new one, with sequence 0."""

    def __init__(self, end: End, length_max: int = LENGTH_MAX) -> None:
        """length_max: the longest L to believe and to send, up to 255.

        noise_bytes: what was thrown away so far. Where it only grows, this is no pile: hang up.
        """
        self.noise_bytes = 0
        self._end = end
        self._length_max = length_max
        self._reader = FrameReader(cutter(length_max))
        self._sequence = 0
        self._layouts = dict(_LAYOUTS)
        self._like: dict[type, type] = {}

    def learn(self, forks: Iterable[Fork]) -> None:
        """From now on these are said too: at a platform, once the login has named the pile and its version."""
        for fork in forks:
            kind, _ = self._layouts[fork.like]
            self._layouts[fork.message] = kind, Layout(fork.message)
            self._like[fork.message] = fork.like

    def receive_data(self, data: bytes) -> None:
        """Take what arrived."""
        self._reader.receive_data(data)

    def next_event(self) -> Heard | Unread | NeedMore:
        """What the other end said next. Never raises on anything that arrives."""
        return self._next(last=False)

    def silence(self) -> Heard | Unread | NeedMore:
        """Nothing has come for seconds: a frame begun is none. Gives what stood behind its beginning."""
        return self._next(last=True)

    def send(self, message: Any) -> bytes:
        """Says something new. Raises ValueError for what has no place."""
        sequence = self._sequence
        data = self._write(sequence, message)
        self._sequence = (sequence + 1) & 0xFFFF
        return data

    def answer(self, heard: Heard, message: Any) -> bytes:
        """Says the answer to `heard`, as ANSWERS has it. Raises ValueError for what has no place."""
        asked, told = type(heard.message), type(message)
        right = ANSWERS.get(self._like.get(asked, asked))
        assert right is self._like.get(told, told), f"{told.__name__} is no answer to {asked.__name__}"
        return self._write(heard.sequence, message)

    def _next(self, *, last: bool) -> Heard | Unread | NeedMore:
        while (found := self._reader.next_frame(last=last)) is not None:
            if not isinstance(found, Bad):
                return self._read(found.frame)
            self.noise_bytes += found.size
        return NEED_MORE

    def _read(self, frame: Frame) -> Heard | Unread:
        if self._end.says(frame.kind):
            return Unread(frame, Why.WRONG_END)
        if frame.encrypted:
            return Unread(frame, Why.ENCRYPTED)
        layouts = [layout for kind, layout in self._layouts.values() if kind == frame.kind]
        for layout in reversed(layouts):  # what was learnt comes first
            try:
                return Heard(frame.sequence, layout.read(frame.body))
            except Unreadable:
                continue
        return Unread(frame, Why.LENGTH if layouts else Why.UNKNOWN_KIND)

    def _write(self, sequence: int, message: Any) -> bytes:
        kind, layout = self._layouts[type(message)]
        assert self._end.says(kind), f"a {self._end.name.lower()} does not say {type(message).__name__}"
        return encode_frame(Frame(sequence, kind, layout.write(message)), self._length_max)


def order_number(pile: str, gun: int, moment: datetime, counter: int) -> str:
    """The 32 digits of one charge: pile, gun, yyMMddHHmmss, counter. moment: in the pile's zone. gun: 1..=99.

    It is the same in the start, in every State, and in the bill: whoever makes it must have it saved before.
    """
    if len(pile) != 14 or not 1 <= gun <= 99 or not 0 <= counter <= ORDER_COUNTER_MAX:
        raise ValueError(f"no order number for pile {pile!r}, gun {gun}, counter {counter}")
    return f"{pile}{gun:02}{moment:%y%m%d%H%M%S}{counter:04}"
