"""Where in a stream of bytes is a DNY frame, and whose is it?

    44 4E 59 "DNY"  length(2)  device(4)  message id(2)  command(1)  data...  sum(2)         numbers little-endian

length counts device to sum, at most 256. The sum is that of all bytes before it, modulo 65536. A reply repeats its
request's message id and command. Between frames a TCP peer sends bare text: its SIM card's number (ICCID, 20
characters) when it connects, and "link" after 30 s of silence.

device: the type in the top byte, the number that is printed on the board in the others: 04CEAA40 is a dual socket with
13544000 on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.fieldbus.hunt import Bad, Sound, damaged

HEAD: Final = b"DNY"
LENGTH_MAX: Final = 256
DATA_MAX: Final = LENGTH_MAX - 9
VIRTUAL_ID_MAX: Final = 49  # a host has up to 50 boards on its RS-485 line
POLL: Final = 0x00

LINK: Final = b"link"
ICCID_SIZE: Final = 20
_ICCID: Final = re.compile(rb"89(?:[0-9ABCEFabcdef]|D(?!NY)){0,18}")
_HEAD: Final = re.compile(HEAD)
_START: Final = re.compile(rb"D")
_TCP_START: Final = re.compile(rb"[Dl8]")


class DeviceType(IntEnum):
    """The top byte of a device's id."""

    SINGLE = 0x03
    DUAL = 0x04
    PORTS_10 = 0x05
    PORTS_16 = 0x06
    PORTS_12 = 0x07
    HOST = 0x09
    LEAKAGE_HOST = 0x0A


@dataclass(frozen=True, slots=True)
class Frame:
    """device, message_id, command: 4, 2 and 1 bytes. data: at most DATA_MAX bytes."""

    device: int
    message_id: int
    command: int
    data: bytes = b""

    def answer(self, data: bytes) -> Frame:
        """The frame that answers this one."""
        return Frame(self.device, self.message_id, self.command, data)


@dataclass(frozen=True, slots=True)
class Iccid:
    """The SIM card's number."""

    number: str


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The peer had nothing to say for 30 s."""


def device_id(kind: int, number: int) -> int:
    """kind: a DeviceType. number: as printed, below 2**24. Raises ValueError."""
    if not (0 <= kind <= 0xFF and 0 <= number < 1 << 24):
        raise ValueError(f"expected a type byte and a number below {1 << 24}, got {kind} and {number}")
    return kind << 24 | number


def device_kind(device: int) -> int:
    """A DeviceType, or another byte."""
    return device >> 24


def printed_number(device: int) -> int:
    """What stands on the board."""
    return device & 0xFFFFFF


def encode_frame(frame: Frame) -> bytes:
    """Raises ValueError for what a frame cannot hold."""
    if len(frame.data) > DATA_MAX:
        raise ValueError(f"a DNY frame holds {DATA_MAX} bytes, got {len(frame.data)}")
    try:
        body = (
            (len(frame.data) + 9).to_bytes(2, "little")
            + frame.device.to_bytes(4, "little")
            + frame.message_id.to_bytes(2, "little")
            + bytes((frame.command,))
            + frame.data
        )
    except OverflowError as error:
        raise ValueError(f"a DNY device has 4 bytes, a message id 2: {frame}") from error
    return HEAD + body + _sum(HEAD + body)


def poll(virtual_id: int, *, offline_at_s: int | None = None, assigns: bool = False) -> Frame:
    """A host's question on RS-485 (9600 8N1): has the board with this virtual id, 0..=49, anything to say?

    offline_at_s: the time, while the host has no connection; boards then sell by themselves. assigns: the host gives
    virtual ids. A board begins its answer within 60 ms, and leaves no longer pause in it (V2.9, clause 4.0; that a
    board answers with a frame of its own under its own id is from one source).
    """
    if not 0 <= virtual_id <= VIRTUAL_ID_MAX:
        raise ValueError(f"a virtual id is 0..={VIRTUAL_ID_MAX}, not {virtual_id}")
    return Frame(0 if offline_at_s is None else offline_at_s, int(assigns), POLL, bytes((virtual_id,)))


def cut(buffer: bytearray) -> Sound[Frame] | Bad | None:
    """What stands at the beginning of a line's bytes; a `hunt.Cut`."""
    if not HEAD.startswith(buffer[:3]):
        return _noise(buffer, _START)
    if len(buffer) < 5:
        return None
    length = int.from_bytes(buffer[3:5], "little")
    if not 9 <= length <= LENGTH_MAX:
        return _noise(buffer, _START)
    size = 5 + length
    if len(buffer) < size:
        return None
    raw = bytes(buffer[:size])
    if _sum(raw[:-2]) != raw[-2:]:
        return damaged(buffer, size, _HEAD)
    device, message_id = int.from_bytes(raw[5:9], "little"), int.from_bytes(raw[9:11], "little")
    return Sound(raw, Frame(device, message_id, raw[11], raw[12:-2]))


def cut_tcp(buffer: bytearray) -> Sound[Frame | Iccid | KeepAlive] | Bad | None:
    """The same, with the text that stands between frames on TCP."""
    if LINK.startswith(buffer[:4]):
        return Sound(LINK, KeepAlive()) if len(buffer) >= 4 else None
    if b"89".startswith(buffer[:2]):
        text = _ICCID.match(buffer)
        if text is not None and text.end() == ICCID_SIZE:
            return Sound(text[0], Iccid(text[0].decode("ascii")))
        return _noise(buffer, _TCP_START) if text is not None and text.end() < len(buffer) else None
    if HEAD.startswith(buffer[:3]):
        found = cut(buffer)
        if isinstance(found, Bad):
            return Bad(min(found.size, _noise(buffer, _TCP_START).size), found.kind)
        return None if found is None else Sound(found.raw, found.frame)
    return _noise(buffer, _TCP_START)


def _noise(buffer: bytearray, start: re.Pattern[bytes]) -> Bad:
    again = start.search(buffer, 1)
    return Bad(again.start() if again else len(buffer))


def _sum(data: bytes) -> bytes:
    return (sum(data) & 0xFFFF).to_bytes(2, "little")
