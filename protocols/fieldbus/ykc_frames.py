"""YKC (云快充) 1.6: where in a TCP stream is a frame, and how is one written?

    68   L   sequence   encryption   kind   body...   CRC
         1   2, LE      00 or 01     1                2, LE

L counts from the sequence to the end of the body. The CRC is CRC-16/MODBUS over the same bytes: the document's words
mean another polynomial, but its samples that are right, and all piles, use this one. Most of its samples are wrong.

TCP loses nothing, but a pile that starts again in mid-frame, or a peer that speaks something else, needs a way back:
a frame is believed by its CRC, and what stands before it is thrown away. (facts: chargers_meters 6.1.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.crc16 import crc16_modbus
from protocols.fieldbus.hunt import Bad, Cut, Sound, damaged

START: Final = 0x68
PLAIN: Final = 0x00
ENCRYPTED: Final = 0x01  # 3DES over the body; how the keys are agreed is not published
LENGTH_MIN: Final = 4
LENGTH_MAX: Final = 205
"""Of L. The document of 1.6 says 200; the bill of 1.7 has 205. What is too long for its kind is not read anyway."""

_AROUND: Final = 4  # start, L, CRC
_HEAD: Final = re.compile(rb"\x68(?:[\x04-\xff]..[\x00\x01]|.{0,3}\Z)", re.DOTALL)  # or as much of it as there is


@dataclass(frozen=True, slots=True)
class Frame:
    """sequence: 0..=0xFFFF; an answer has its request's. kind: odd from a pile, even from its platform."""

    sequence: int
    kind: int
    body: bytes
    encrypted: bool = False


def encode_frame(frame: Frame, length_max: int = LENGTH_MAX) -> bytes:
    """`frame` as it travels. Raises ValueError for a body that no frame can hold."""
    length = LENGTH_MIN + len(frame.body)
    if length > length_max:
        raise ValueError(f"a frame's L is at most {length_max}, not {length}")
    body = frame.sequence.to_bytes(2, "little") + bytes((ENCRYPTED if frame.encrypted else PLAIN, frame.kind))
    body += frame.body
    return bytes((START, length)) + body + crc16_modbus(body).to_bytes(2, "little")


def cutter(length_max: int = LENGTH_MAX) -> Cut[Frame]:
    """What stands at the beginning of a buffer; a `hunt.Cut` that believes an L of `length_max` at most."""

    def cut(buffer: bytearray) -> Sound[Frame] | Bad | None:
        if buffer[0] != START:
            at = buffer.find(START)
            return Bad(at if at > 0 else len(buffer))
        if len(buffer) >= 2 and not LENGTH_MIN <= buffer[1] <= length_max:
            return Bad(1)
        if len(buffer) >= 5 and buffer[4] not in (PLAIN, ENCRYPTED):
            return Bad(1)
        if len(buffer) < 2 or len(buffer) < buffer[1] + _AROUND:
            return None
        size = buffer[1] + _AROUND
        if crc16_modbus(buffer[2 : size - 2]) != int.from_bytes(buffer[size - 2 : size], "little"):
            return damaged(buffer, size, _HEAD)
        raw = bytes(buffer[:size])
        return Sound(raw, Frame(int.from_bytes(raw[2:4], "little"), raw[5], raw[6:-2], raw[4] == ENCRYPTED))

    return cut
