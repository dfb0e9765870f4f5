"""What do a gateway and a Dongjun slow-charging board say to each other? Both roles. 9600 8N1.

    question  EE  LEN  CMD  session(6)  data...  SUM        LEN counts CMD to SUM, SUM is the XOR of LEN to data
    answer    66  the same, with the question's CMD and session

Command 01 asks how all ports are; its data is one byte, 00, and the answer's is a count and a byte for each port, port
1 first. One source; the commands that start and stop a port are not known, and another board ("V5.8.5") uses the same
frame with other commands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.fieldbus.expect import FOREIGN, LATE, LENGTH, Expect
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, Sound, Wrong, damaged

PORTS_STATE: Final = 0x01
SESSION_SIZE: Final = 6
DATA_MAX: Final = 0xFF - SESSION_SIZE - 2
_ASKS, _ANSWERS = 0xEE, 0x66
_LENGTH_MIN: Final = SESSION_SIZE + 2
_HEAD: Final = re.compile(rb"[\xee\x66]")


class PortState(IntEnum):
    """Of a port; boards may send others."""

    IDLE = 1
    BUSY = 2
    DISABLED = 3
    FAULT = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """asks: from the gateway. session: six bytes of the gateway's choice, repeated in the answer."""

    asks: bool
    command: int
    session: bytes
    data: bytes = b""


def encode_frame(frame: Frame) -> bytes:
    """Raises ValueError for what a frame cannot hold."""
    if len(frame.session) != SESSION_SIZE or len(frame.data) > DATA_MAX or not 0 <= frame.command <= 0xFF:
        raise ValueError(f"a Dongjun frame has a session of {SESSION_SIZE} bytes and data of up to {DATA_MAX}: {frame}")
    body = bytes((_LENGTH_MIN + len(frame.data), frame.command)) + frame.session + frame.data
    return bytes((_ASKS if frame.asks else _ANSWERS,)) + body + bytes((_xor(body),))


def ask_ports(session: bytes) -> Frame:
    """How are all ports?"""
    return Frame(True, PORTS_STATE, session, b"\0")


def tell_ports(question: Frame, states: bytes) -> Frame:
    """A board's answer. states: a PortState for each port."""
    return Frame(False, PORTS_STATE, question.session, bytes((len(states),)) + states)


def expect_ports(question: Frame) -> Expect[bytes]:
    """Finds the answer to `ask_ports`: a byte for each port, port 1 first."""

    def judge(frame: Frame) -> bytes | Wrong:
        if frame.asks or frame.command != PORTS_STATE:
            return Wrong(FOREIGN)
        if frame.session != question.session:
            return Wrong(LATE)
        if not frame.data or len(frame.data) != 1 + frame.data[0]:
            return Wrong(LENGTH)
        return frame.data[1:]

    return FrameExpect(cut, judge, None, encode_frame(question))  # sessions tell answers apart


def board_ear() -> Ear[Frame, Frame]:
    """A board's ear. There is no address: a line has one board."""
    return Ear(cut, lambda frame: frame if frame.asks else None)


def cut(buffer: bytearray) -> Sound[Frame] | Bad | None:
    """What stands at the beginning; a `hunt.Cut`."""
    if _HEAD.match(buffer) is None:
        again = _HEAD.search(buffer)
        return Bad(again.start() if again else len(buffer))
    if len(buffer) < 2:
        return None
    if buffer[1] < _LENGTH_MIN:
        return Bad(1)
    size = 2 + buffer[1]
    if len(buffer) < size:
        return None
    raw = bytes(buffer[:size])
    if _xor(raw[1:-1]) != raw[-1]:
        return damaged(buffer, size, _HEAD)
    return Sound(raw, Frame(raw[0] == _ASKS, raw[2], raw[3 : 3 + SESSION_SIZE], raw[3 + SESSION_SIZE : -1]))


def _xor(data: bytes) -> int:
    total = 0
    for byte in data:
        total ^= byte
    return total
