"""How do a gateway and a Greenway (Surron) pack hear each other on RS-485?

    46           address(2)  field  length  sum8              the gateway asks; length: how much it wants
    47           address(2)  field  length  data...  sum8     the pack's answer
    57           address(2)  field  length  data...  sum8     said unasked, by the vehicle; length counts one more

Little-endian, 9600 8N1; the sum runs over everything before it. What the fields say stands in `greenway_app`. A pack is
silent to a field that it does not have. It sleeps: three seconds without traffic cost it the first questions; after
minutes or hours only charger voltage, its button or the key wakes it. (facts: cabinets 1.4.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.expect import FOREIGN, LENGTH
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, Sound, Wrong, damaged, sum8

ADDRESS: Final = 0x0116  # every pack's; so there is never more than one on a line
VEHICLE: Final = 0x0183  # whom the vehicle's controller tells
LENGTH_MAX: Final = 64  # more is not answered

REPLY_S: Final = 0.15  # 10 ms as a rule, 80 ms and more while the pack's display is lit
TRIES: Final = 4  # the first ones may find it asleep

ASK: Final = 0x46
ANSWER: Final = 0x47
TELL: Final = 0x57

_HEAD: Final = re.compile(rb"[\x46\x47\x57]")


@dataclass(frozen=True, slots=True)
class Frame:
    """length: the number on the wire. data: empty in a question."""

    command: int
    address: int
    field: int
    length: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What a pack hears: give `length` bytes, beginning with those of `field`."""

    field: int
    length: int


def request_frame(field: int, length: int, address: int = ADDRESS) -> bytes:
    """length: 1..=64. Asking for more than the field has gives the memory behind it. Raises ValueError outside."""
    if not 1 <= length <= LENGTH_MAX:
        raise ValueError(f"a pack is asked for 1..={LENGTH_MAX} bytes, not {length}")
    return _encode(ASK, address, field, length, b"")


def answer_frame(field: int, data: bytes, address: int = ADDRESS) -> bytes:
    """A pack's answer. data: as many bytes as were asked for."""
    return _encode(ANSWER, address, field, len(data), data)


def tell_frame(field: int, data: bytes, address: int = VEHICLE) -> bytes:
    """What the vehicle says unasked."""
    return _encode(TELL, address, field, len(data) + 1, data)


def expect(field: int, length: int, address: int = ADDRESS) -> FrameExpect[Frame, bytes]:
    """Finds the answer to `request_frame` of the same arguments: exactly `length` bytes."""

    def judge(frame: Frame) -> bytes | Wrong:
        if (frame.command, frame.address, frame.field) != (ANSWER, address, field):
            return Wrong(FOREIGN)
        return frame.data if frame.length == length else Wrong(LENGTH)

    shape = "greenway", address, field, length
    return FrameExpect(cut, judge, shape, request_frame(field, length, address))


def ear(address: int = ADDRESS) -> Ear[Frame, Request]:
    """A pack's ear."""

    def mine(frame: Frame) -> Request | None:
        if (frame.command, frame.address) != (ASK, address):
            return None
        return Request(frame.field, frame.length)

    return Ear(cut, mine)


def cut(buffer: bytearray) -> Sound[Frame] | Bad | None:
    """A `hunt.Cut`."""
    found = _HEAD.search(buffer)
    if found is None or found.start() > 0:
        return Bad(found.start() if found else len(buffer))
    if len(buffer) < 6:
        return None
    command, length = buffer[0], buffer[4]
    if length > LENGTH_MAX or length == 0:
        return Bad(1)
    size = 6 + {ASK: 0, ANSWER: length, TELL: length - 1}[command]
    if len(buffer) < size:
        return None
    if sum8(buffer[: size - 1]) != buffer[size - 1]:
        return damaged(buffer, size, _HEAD)
    raw = bytes(buffer[:size])
    return Sound(raw, Frame(command, int.from_bytes(raw[1:3], "little"), raw[3], length, raw[5:-1]))


def _encode(command: int, address: int, field: int, length: int, data: bytes) -> bytes:
    if length > LENGTH_MAX:
        raise ValueError(f"at most {LENGTH_MAX} bytes, not {length}")
    body = bytes((command, *address.to_bytes(2, "little"), field, length)) + data
    return body + bytes((sum8(body),))
