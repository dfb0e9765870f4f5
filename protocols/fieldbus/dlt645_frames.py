"""DL/T 645-2007: where in a stream of bytes is a frame, who is it for, and how is one written?

    FE FE FE FE   68   a0 a1 a2 a3 a4 a5   68   C   L   data...   CS   16
    0 to n of them     address                          + 33h each

The address is twelve BCD digits, the lowest pair first. 33h is added to each byte of data, modulo 256, before CS, the
low byte of the sum of everything from the first 68 on. In C bit 7 marks what a meter says, bit 6 a refusal, bit 5 that
more follows; the rest is the function. The line is 8E1, 2400 baud unless set otherwise. (facts: chargers_meters 4.1.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.expect import CRC
from protocols.fieldbus.hunt import Bad, Sound, damaged, sum8

START: Final = 0x68
END: Final = 0x16
WAKE: Final = 0xFE
WAKE_SENT: Final = 4  # the most that the standard has; sleepy meters need them
WAKE_MAX: Final = 16  # belong to a frame; more of them are noise, so that a stuck line fills no buffer
DATA_MAX: Final = 200
SHIFT: Final = 0x33

REPLY: Final = 0x80
REFUSAL: Final = 0x40
MORE: Final = 0x20
_FUNCTION: Final = 0x1F

ANYONE: Final = "A" * 12
"""The one meter on the line, whatever its address."""
EVERYONE: Final = "9" * 12
"""All meters on the line; none answers."""

_AROUND_DATA: Final = 12
_ADDRESS: Final = re.compile("[0-9A]{12}")
_MARK: Final = re.compile(rb"[\x68\xfe]")
_HEAD: Final = re.compile(rb"\xfe*\x68(?:.{6}\x68|.{0,6}\Z)", re.DOTALL)  # whole, or as much of it as there is


@dataclass(frozen=True, slots=True)
class Frame:
    """address: twelve digits as printed on the meter, `A` for any digit. From a peer that breaks the rules it may hold
    B to F too. data: as meant, without the shift."""

    address: str
    control: int
    data: bytes = b""

    @property
    def function(self) -> int:
        return self.control & _FUNCTION

    @property
    def is_reply(self) -> bool:
        return bool(self.control & REPLY)

    @property
    def is_refusal(self) -> bool:
        return bool(self.control & REFUSAL)

    @property
    def has_more(self) -> bool:
        return bool(self.control & MORE)


def encode_frame(frame: Frame, wake: int = WAKE_SENT) -> bytes:
    """`frame` as it travels. wake: FE bytes before it. Raises ValueError for what no frame can hold."""
    if len(frame.data) > DATA_MAX:
        raise ValueError(f"a frame holds at most {DATA_MAX} bytes of data, not {len(frame.data)}")
    body = bytes((START,)) + encode_address(frame.address) + bytes((START, frame.control, len(frame.data)))
    body += bytes((byte + SHIFT) & 0xFF for byte in frame.data)
    return bytes((WAKE,)) * wake + body + bytes((sum8(body), END))


def cut(buffer: bytearray) -> Sound[Frame] | Bad | None:
    """What stands at the beginning of `buffer`; a `hunt.Cut`. The bytes FE before a frame belong to it."""
    start = 0
    while start < len(buffer) and buffer[start] == WAKE:
        start += 1
    if start > WAKE_MAX:
        return Bad(start - WAKE_MAX)
    if start == len(buffer):
        return None
    if buffer[start] != START:
        again = _MARK.search(buffer, start)
        return Bad(again.start() if again else len(buffer))
    if len(buffer) > start + 7 and buffer[start + 7] != START:
        return Bad(start + 1)
    if len(buffer) < start + 10:
        return None
    size = buffer[start + 9]
    if size > DATA_MAX:
        return Bad(start + 1)
    end = start + _AROUND_DATA + size
    if len(buffer) < end:
        return None
    if buffer[end - 1] != END or buffer[end - 2] != sum8(buffer[start : end - 2]):
        return Bad(start, CRC) if start else damaged(buffer, end, _HEAD)
    data = bytes((byte - SHIFT) & 0xFF for byte in buffer[start + 10 : end - 2])
    return Sound(bytes(buffer[:end]), Frame(decode_address(buffer[start + 1 : start + 7]), buffer[start + 8], data))


def encode_address(address: str) -> bytes:
    """Six bytes, the lowest pair first. Raises ValueError for what is not twelve digits."""
    if _ADDRESS.fullmatch(address) is None:
        raise ValueError(f"an address is twelve digits, with A for any digit, not {address!r}")
    return bytes.fromhex(address)[::-1]


def decode_address(data: bytes | bytearray) -> str:
    """The digits as they are printed on a meter."""
    return data[::-1].hex().upper()


def matches(pattern: str, address: str) -> bool:
    """Whether `address` is meant by `pattern`: the same digits, wherever the pattern has one."""
    return all(digit in ("A", other) for digit, other in zip(pattern, address, strict=True))
