"""How do a gateway and a JBD (Xiaoxiang) pack hear each other?

    DD  A5  register  length  data...  sum(2)  77          the gateway reads
    DD  5A  register  length  data...  sum(2)  77          the gateway writes
    DD  register  status  length  data...  sum(2)  77      the pack's answer

Big-endian, 9600 8N1 on RS-485, RS-232 or UART. The sum is 10000h less the sum of everything from the third byte to the
last of data; so an answer's register is not covered. What the registers say stands in `jbd_app`. A sleeping board may
swallow the first question: ask again. Boards after V13 may send one byte more behind 77; it is noise.
(facts: cabinets 1.3.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.fieldbus.expect import FOREIGN
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, Sound, Wrong, damaged

READ: Final = 0xA5
WRITE: Final = 0x5A
DATA_MAX: Final = 255

REPLY_S: Final = 0.3
TRIES: Final = 3  # the first may only wake it

_START: Final = 0xDD
_END: Final = 0x77
_HEAD: Final = re.compile(rb"\xdd")


class Status(IntEnum):
    """How an answer ends. Older boards say 80h for every error."""

    OK = 0x00
    NO_SUCH_REGISTER = 0x80
    NOT_ALLOWED = 0x81
    WRONG_SUM = 0x82
    WRONG_PASSWORD = 0x83


@dataclass(frozen=True, slots=True)
class Frame:
    """first and second: READ or WRITE and the register, or the register and a status."""

    first: int
    second: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """status: a `Status`, or another number; `data` is worth something with OK alone."""

    status: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What a pack hears."""

    register: int
    write: bool
    data: bytes


def read_frame(register: int) -> bytes:
    """Asks for a register."""
    return _encode(READ, register, b"")


def write_frame(register: int, data: bytes) -> bytes:
    """Writes one. data: at most 255 bytes."""
    return _encode(WRITE, register, data)


def answer_frame(register: int, data: bytes = b"", status: int = Status.OK) -> bytes:
    """A pack's answer; without data it acknowledges a write."""
    return _encode(register, status, data)


def expect(register: int, asked: bytes = b"") -> FrameExpect[Frame, Reply]:
    """Finds the answer to a question about `register`. asked: as sent, to know its echo.

    An answer does not say whether it is one to a read or to a write.
    """

    def judge(frame: Frame) -> Reply | Wrong:
        return Reply(frame.second, frame.data) if frame.first == register else Wrong(FOREIGN)

    return FrameExpect(cut, judge, ("jbd", register), asked)


def ear() -> Ear[Frame, Request]:
    """A pack's ear. There are no addresses: one pack on a line."""

    def mine(frame: Frame) -> Request | None:
        return Request(frame.second, frame.first == WRITE, frame.data) if frame.first in (READ, WRITE) else None

    return Ear(cut, mine)


def cut(buffer: bytearray) -> Sound[Frame] | Bad | None:
    """A `hunt.Cut`."""
    start = buffer.find(_START)
    if start != 0:
        return Bad(start if start > 0 else len(buffer))
    if len(buffer) < 4:
        return None
    size = buffer[3] + 7
    if len(buffer) < size:
        return None
    if buffer[size - 1] != _END:
        return Bad(1)
    if _sum(buffer[2 : size - 3]) != buffer[size - 3 : size - 1]:
        return damaged(buffer, size, _HEAD)
    raw = bytes(buffer[:size])
    return Sound(raw, Frame(raw[1], raw[2], raw[4:-3]))


def _encode(first: int, second: int, data: bytes) -> bytes:
    if len(data) > DATA_MAX:
        raise ValueError(f"at most {DATA_MAX} bytes, not {len(data)}")
    body = bytes((second, len(data))) + data
    return bytes((_START, first)) + body + _sum(body) + bytes((_END,))


def _sum(body: bytes | bytearray) -> bytes:
    return (-sum(body) & 0xFFFF).to_bytes(2, "big")
