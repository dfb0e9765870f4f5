"""How do a gateway and a Daly pack hear each other on UART or RS-485?

    A5  address  command  08  data(8)  sum8

Always thirteen bytes, big-endian, 9600 8N1. Gateways are 40h and up on RS-485, 80h on UART and Bluetooth; a pack
answers as 01h and up. Some answers are several frames, each with its number from 1 in the first byte: over a wire as
many as are needed, over Bluetooth always all of them. What is said stands in `daly_app`. (facts: cabinets 1.7.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.expect import FOREIGN, LENGTH, NEED_MORE, NeedMore
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, Sound, Wrong, damaged, sum8

HOST_RS485: Final = 0x40
HOST_UART: Final = 0x80
PACK: Final = 0x01
FILLER: Final = bytes(8)
FILLER_FOR_WEAK_UARTS: Final = b"\xaa" * 8  # one driver: some boards find the frame better in these

REPLY_S: Final = 0.5
GAP_S: Final = 0.02  # one driver: sooner asked, many questions stay without an answer
TRIES: Final = 3
FRAMES_MAX: Final = 16  # 48 cells, three in a frame

SIZE: Final = 13
_START: Final = 0xA5
_DATA: Final = 8
_HEAD: Final = re.compile(rb"\xa5")


@dataclass(frozen=True, slots=True)
class Frame:
    """data: eight bytes."""

    address: int
    command: int
    data: bytes


def pack_address(host: int) -> int:
    """What the pack answers as: 1 for 40h and 80h, 2 for 41h and so on."""
    return (host & 0x3F) + PACK


def request_frame(command: int, data: bytes = FILLER, host: int = HOST_RS485) -> bytes:
    """data: eight bytes. Raises ValueError for another count."""
    return encode(Frame(host, command, data))


def answer_frame(command: int, data: bytes, pack: int = PACK) -> bytes:
    """One frame of a pack's answer."""
    return encode(Frame(pack, command, data))


class DalyExpect(FrameExpect[Frame, bytes]):
    """Finds the answer to one question: eight bytes of every frame, in the order of their numbers.

    frames: how many. For more than one, each must come with its number, in whatever order; several answers of one
    frame's number count once. An answer that stays incomplete is none.
    """

    def __init__(self, command: int, frames: int = 1, host: int = HOST_RS485, data: bytes = FILLER) -> None:
        if not 1 <= frames <= FRAMES_MAX:
            raise ValueError(f"an answer is 1..={FRAMES_MAX} frames, not {frames}")
        self._parts: dict[int, bytes] = {}
        self._frames = frames
        self._command = command
        self._pack = pack_address(host)
        super().__init__(cut, self._take, ("daly", self._pack, command), request_frame(command, data, host))

    def give_up(self) -> bytes | NeedMore:
        found = super().give_up()
        if self._parts:
            self.count(LENGTH, SIZE * len(self._parts))
            self._parts.clear()
        return found

    def _take(self, frame: Frame) -> bytes | NeedMore | Wrong:
        if frame.address != self._pack or frame.command != self._command:
            return Wrong(FOREIGN)
        if self._frames == 1:
            return frame.data
        number = frame.data[0]
        if not 1 <= number <= self._frames or number in self._parts:
            return Wrong(LENGTH)
        self._parts[number] = frame.data
        if len(self._parts) < self._frames:
            return NEED_MORE
        whole = b"".join(data for _, data in sorted(self._parts.items()))
        self._parts.clear()
        return whole


def ear(pack: int = PACK) -> Ear[Frame, Frame]:
    """A pack's ear: questions by any gateway that counts it as its own."""

    def mine(frame: Frame) -> Frame | None:
        return frame if frame.address >= HOST_RS485 and pack_address(frame.address) == pack else None

    return Ear(cut, mine)


def cut(buffer: bytearray) -> Sound[Frame] | Bad | None:
    """A `hunt.Cut`."""
    start = buffer.find(_START)
    if start != 0:
        return Bad(start if start > 0 else len(buffer))
    if len(buffer) >= 4 and buffer[3] != _DATA:
        return Bad(1)
    if len(buffer) < SIZE:
        return None
    raw = bytes(buffer[:SIZE])
    if sum8(raw[:-1]) != raw[-1]:
        return damaged(buffer, SIZE, _HEAD)
    return Sound(raw, Frame(raw[1], raw[2], raw[4:-1]))


def encode(frame: Frame) -> bytes:
    if len(frame.data) != _DATA:
        raise ValueError(f"a Daly frame holds {_DATA} bytes, not {len(frame.data)}")
    body = bytes((_START, frame.address, frame.command, _DATA)) + frame.data
    return body + bytes((sum8(body),))
