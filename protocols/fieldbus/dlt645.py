"""DL/T 645-2007: what does a gateway ask a meter, and how do the two hear each other?

The gateway's side: a `Question`, `request_frame`, a `MeterExpect` that finds the answer in whatever arrives, and
`Collect` for a value that comes in several frames. The meter's side: `MeterEar`, and `answer_frame`, `refusal_frame`,
`read_answer` and `follow_answer`. What the data mean stands in `dlt645_items`.

Broadcasts have no answer, and what a meter does with one is its own affair: it moves its clock by a few minutes at
most, once a day. Never rely on it. (facts: chargers_meters 4.1, 4.2.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, IntFlag
from typing import Final

from protocols.fieldbus.dlt645_frames import (
    DATA_MAX,
    EVERYONE,
    MORE,
    REFUSAL,
    REPLY,
    WAKE_SENT,
    Frame,
    cut,
    encode_address,
    encode_frame,
    matches,
)
from protocols.fieldbus.dlt645_items import encode_moment
from protocols.fieldbus.expect import ECHO, FOREIGN, LATE, LENGTH, NEED_MORE, NeedMore
from protocols.fieldbus.hunt import Ear, FrameExpect, Wrong

BAUD: Final = 2400  # of a meter that nobody has set, with 8E1
REPLY_S: Final = 1.5  # what gateways wait in practice; the standard's 0.5 is too short behind adapters
BYTE_GAP_S: Final = 0.5  # within a frame
TRIES: Final = 3

WRITE_MAX: Final = 50  # bytes of data in a write
PART_MAX: Final = DATA_MAX - 5  # identifier and sequence number take the rest
PARTS_MAX: Final = 16  # of one value: 3 kB, far more than any item of the standard


class Function(IntEnum):
    """The low five bits of C."""

    SECURITY = 0x03
    SET_TIME = 0x08
    READ = 0x11
    READ_FOLLOWING = 0x12
    READ_ADDRESS = 0x13
    WRITE = 0x14
    WRITE_ADDRESS = 0x15
    FREEZE = 0x16
    SET_BAUD = 0x17
    SET_PASSWORD = 0x18
    CLEAR_DEMAND = 0x19
    CLEAR_METER = 0x1A
    CLEAR_EVENTS = 0x1B
    RELAY = 0x1C


class Fault(IntFlag):
    """Why a meter refuses; several at once are possible."""

    OTHER = 0x01
    NO_SUCH_DATA = 0x02
    PASSWORD = 0x04  # wrong, or not authorised
    BAUD = 0x08
    YEAR_ZONES = 0x10
    DAY_SLOTS = 0x20
    TARIFFS = 0x40


BAUD_WORDS: Final[Mapping[int, int]] = {600: 0x02, 1200: 0x04, 2400: 0x08, 4800: 0x10, 9600: 0x20, 19200: 0x40}


@dataclass(frozen=True, slots=True)
class Question:
    """A function with its data. Made by the functions below, or by hand for what only some meters know."""

    function: Function
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Data:
    """data: of a read, what stands behind the identifier; else all of it. more: the rest is asked for, see `Collect`.
    address: of the meter that answered."""

    address: str
    data: bytes
    more: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """The meter will not. 0: it does not say why."""

    address: str
    fault: Fault


Answer = Data | Refusal


def read(identifier: int) -> Question:
    return Question(Function.READ, identifier.to_bytes(4, "little"))


def read_following(identifier: int, number: int) -> Question:
    """The part `number`, 1..=255, of a value whose answer said that more follows."""
    if not 1 <= number <= 255:
        raise ValueError(f"a following part is 1..=255, not {number}")
    return Question(Function.READ_FOLLOWING, identifier.to_bytes(4, "little") + bytes((number,)))


def read_address() -> Question:
    """Only to ANYONE, and only with one meter on the line: all of them answer at once."""
    return Question(Function.READ_ADDRESS)


def write(identifier: int, password: bytes, operator: bytes, data: bytes) -> Question:
    """password: level and three bytes. operator: four bytes that the meter keeps in its event log."""
    if len(password) != 4 or len(operator) != 4 or len(data) > WRITE_MAX - 12:
        raise ValueError(f"a write has a password and an operator of 4 bytes each and {WRITE_MAX - 12} of data at most")
    return Question(Function.WRITE, identifier.to_bytes(4, "little") + password + operator + data)


def write_address(address: str) -> Question:
    """Only to ANYONE. The meter answers with its new address."""
    if "A" in address:
        raise ValueError(f"a meter's own address has no wildcards, not {address!r}")
    return Question(Function.WRITE_ADDRESS, encode_address(address))


def freeze(
    *, month: int | None = None, day: int | None = None, hour: int | None = None, minute: int | None = None
) -> Question:
    """Keep the counters at that time, again and again; None: each one. All None: now."""
    return Question(Function.FREEZE, bytes(0x99 if part is None else _bcd(part) for part in (minute, hour, day, month)))


def set_time(moment: datetime) -> Question:
    """Only to EVERYONE. moment: in the zone of the meters' clocks."""
    return Question(Function.SET_TIME, encode_moment(moment))


def set_baud(baud: int) -> Question:
    """Raises KeyError for a rate that has no word."""
    return Question(Function.SET_BAUD, bytes((BAUD_WORDS[baud],)))


def request_frame(address: str, question: Question, wake: int = WAKE_SENT) -> bytes:
    """address: of the meter, ANYONE, EVERYONE, or with A for some digits."""
    return encode_frame(Frame(address, question.function, question.data), wake)


class MeterExpect(FrameExpect[Frame, Answer]):
    """Finds a meter's answer to one question; an `expect.Expect`.

    A refusal names no data, so that a late one is taken for the meter's refusal of whatever it was asked last.
    """

    def __init__(self, address: str, question: Question) -> None:
        asked = Frame(address, question.function, question.data)

        def judge(frame: Frame) -> Answer | Wrong:
            if frame == asked:
                return Wrong(ECHO)
            if not frame.is_reply or not matches(address, frame.address):
                return Wrong(FOREIGN)
            if frame.function != question.function:
                return Wrong(LATE)
            if frame.is_refusal:
                if len(frame.data) != 1:
                    return Wrong(LENGTH)
                return Refusal(frame.address, Fault(frame.data[0]))
            return _data(frame, question)

        super().__init__(cut, judge, ("dlt645", address, question.function, question.data[:5]))


def _data(frame: Frame, question: Question) -> Data | Wrong:
    data = frame.data
    if question.function in (Function.READ, Function.READ_FOLLOWING):
        number = question.data[4:5] if question.function is Function.READ_FOLLOWING else b""
        if len(data) < 4 + len(number):
            return Wrong(LENGTH)
        value, told = data[4 : len(data) - len(number)], data[len(data) - len(number) :]
        if data[:4] != question.data[:4] or told != number:
            return Wrong(LATE)
        return Data(frame.address, value, frame.has_more)
    if question.function is Function.READ_ADDRESS and len(data) != 6:
        return Wrong(LENGTH)
    return Data(frame.address, data, frame.has_more)


class Collect:
    """A value that may come in several frames: ask `question`, give the answer to `take`, until that has the value."""

    def __init__(self, identifier: int) -> None:
        self._identifier = identifier
        self._parts: list[bytes] = []

    @property
    def question(self) -> Question:
        """What to ask now."""
        if not self._parts:
            return read(self._identifier)
        return read_following(self._identifier, len(self._parts))

    def take(self, data: Data) -> bytes | NeedMore | None:
        """The whole value. None: it does not end within PARTS_MAX parts."""
        self._parts.append(data.data)
        if not data.more:
            return b"".join(self._parts)
        return NEED_MORE if len(self._parts) < PARTS_MAX else None


@dataclass(frozen=True, slots=True)
class Request:
    """What a meter hears. function: a `Function`, or a number that it refuses. wants_answer: not of a broadcast."""

    function: int
    data: bytes
    wants_answer: bool = True

    @property
    def identifier(self) -> int | None:
        """What a read or a write is about. None: nothing is named."""
        return int.from_bytes(self.data[:4], "little") if len(self.data) >= 4 else None


class MeterEar(Ear[Frame, Request]):
    """A meter's ear on a shared line: requests to its own address, with or without wildcards, and broadcasts."""

    def __init__(self, address: str) -> None:
        encode_address(address)  # is one

        def mine(frame: Frame) -> Request | None:
            if frame.is_reply:
                return None
            if frame.address == EVERYONE:
                return Request(frame.function, frame.data, wants_answer=False)
            return Request(frame.function, frame.data) if matches(frame.address, address) else None

        super().__init__(cut, mine)


def answer_frame(address: str, function: int, data: bytes = b"", *, more: bool = False, wake: int = WAKE_SENT) -> bytes:
    """What the meter with this address says."""
    return encode_frame(Frame(address, function | REPLY | (MORE if more else 0), data), wake)


def refusal_frame(address: str, function: int, fault: Fault, *, wake: int = WAKE_SENT) -> bytes:
    return encode_frame(Frame(address, function | REPLY | REFUSAL, bytes((fault.value,))), wake)


def read_answer(address: str, identifier: int, value: bytes, *, wake: int = WAKE_SENT) -> bytes:
    """The answer to READ. Of a longer value the first part."""
    data = identifier.to_bytes(4, "little") + value[:PART_MAX]
    return answer_frame(address, Function.READ, data, more=len(value) > PART_MAX, wake=wake)


def follow_answer(address: str, identifier: int, number: int, value: bytes, *, wake: int = WAKE_SENT) -> bytes:
    """The answer to READ_FOLLOWING: part `number` of the value, or NO_SUCH_DATA where there is none."""
    part, rest = value[number * PART_MAX : (number + 1) * PART_MAX], value[(number + 1) * PART_MAX :]
    if not part:
        return refusal_frame(address, Function.READ_FOLLOWING, Fault.NO_SUCH_DATA, wake=wake)
    data = identifier.to_bytes(4, "little") + part + bytes((number,))
    return answer_frame(address, Function.READ_FOLLOWING, data, more=bool(rest), wake=wake)


def _bcd(pair: int) -> int:
    if not 0 <= pair <= 99:
        raise ValueError(f"{pair} does not fit in two digits")
    return pair // 10 << 4 | pair % 10
