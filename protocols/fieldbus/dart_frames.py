"""DART: where in a stream of bytes is a frame, and how does one travel?

    short  ADR  CTRL                              FA
    DATA   ADR  3t    data...  CRC-lo CRC-hi  03  FA

ADR is the slave's, in both directions. The high nibble of CTRL is the kind, the low one the block number t (TX#).
There is no start byte: a frame begins behind the last FA or behind silence. Only the value FA is escaped, as 10 FA,
and only in the data and CRC of a DATA block; 10 itself is not. The CRC is CRC-16/ARC over ADR, CTRL and the data
before escaping. (facts: DART 1.2 to 1.4; every published frame agrees.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.fieldbus.crc16 import crc16_arc
from protocols.fieldbus.expect import CRC, NOISE

ETX: Final = 0x03
STOP: Final = 0xFA
ESCAPE: Final = 0x10
BLOCK_MAX: Final = 256  # bytes of a whole block as it travels
ADDRESS_MIN: Final = 0x50
ADDRESS_MAX: Final = 0xCF  # Wayne uses 50..6F; S4 allows up to CF
_AROUND_DATA: Final = 6  # ADR, CTRL, CRC, ETX, FA


class Control(IntEnum):
    """The kind of a frame: the high nibble of its second byte."""

    POLL = 0x20
    DATA = 0x30
    IAP = 0x40
    NAK = 0x50
    EOT = 0x70
    ACK = 0xC0
    ACKPOLL = 0xE0


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. number: TX#, 0..=15. data: of a DATA block, not escaped; of others nothing."""

    address: int
    control: Control
    number: int = 0
    data: bytes = b""


_KINDS: Final = {kind.value: kind for kind in Control}


def encode_frame(frame: Frame) -> bytes:
    """`frame` as it travels. Raises ValueError for what no frame can hold."""
    if not 0 <= frame.address <= 0xFF or frame.address == STOP:
        raise ValueError(f"expected an address of 0x00..0xFF but 0xFA, got {frame.address:#x}")
    if not 0 <= frame.number <= 15:
        raise ValueError(f"expected a block number of 0..15, got {frame.number}")
    head = bytes([frame.address, frame.control | frame.number])
    if frame.control is not Control.DATA:
        if frame.data:
            raise ValueError(f"a {frame.control.name} carries no data")
        return head + bytes([STOP])
    body = frame.data + crc16_arc(head + frame.data).to_bytes(2, "little")
    block = head + body.replace(b"\xfa", b"\x10\xfa") + bytes([ETX, STOP])
    if len(block) > BLOCK_MAX:
        raise ValueError(f"a block is at most {BLOCK_MAX} bytes, got {len(block)}")
    return block


class FrameReader:
    """Finds frames in whatever arrives. Never raises on anything that comes off a wire.

    discarded: bytes thrown away so far: noise, crc. What stands before a frame is noise to it, as an adapter that
    turns around adds a byte; the frame is known by its end, and a DATA block by its CRC.
    """

    def __init__(self) -> None:
        self.discarded: dict[str, int] = {}
        self._stored = bytearray()  # since the last frame, unescaped

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that end in `data`, in order."""
        frames = []
        for byte in data:
            if byte != STOP:
                self._stored.append(byte)
                if len(self._stored) > BLOCK_MAX:
                    self._count(NOISE, 1)
                    del self._stored[0]
            elif self._stored and self._stored[-1] == ESCAPE:
                self._stored[-1] = STOP
            elif (frame := self._end()) is not None:
                frames.append(frame)
        return frames

    def silence(self) -> None:
        """The line was silent for longer than within a frame: what was begun is lost, the next byte begins a frame."""
        self._count(NOISE, len(self._stored))
        self._stored.clear()

    def _end(self) -> Frame | None:
        """The frame that ends here. What stood before it is thrown away."""
        stored = bytes(self._stored)
        self._stored.clear()
        start, frame = _data_frame(stored)
        if frame is None:
            start, frame = _short_frame(stored)
        if frame is None:
            self._count(CRC if stored[-1:] == bytes([ETX]) else NOISE, len(stored) + 1)
        elif start:
            self._count(NOISE, start)
        return frame

    def _count(self, kind: str, count: int) -> None:
        if count:
            self.discarded[kind] = self.discarded.get(kind, 0) + count


def _data_frame(stored: bytes) -> tuple[int, Frame | None]:
    """The longest tail of `stored` (all before FA) that is a DATA block with the right CRC, and where it begins."""
    if stored[-1:] != bytes([ETX]):
        return 0, None
    for start in range(len(stored) - _AROUND_DATA + 2):
        address, control = stored[start], stored[start + 1]
        if control & 0xF0 == Control.DATA and address >= ADDRESS_MIN and crc16_arc(stored[start:-1]) == 0:
            return start, Frame(address, Control.DATA, control & 0x0F, stored[start + 2 : -3])
    return 0, None


def _short_frame(stored: bytes) -> tuple[int, Frame | None]:
    if len(stored) < 2:
        return 0, None
    address, control = stored[-2:]
    kind = _KINDS.get(control & 0xF0)
    if kind is None or kind is Control.DATA or address < ADDRESS_MIN:
        return 0, None
    return len(stored) - 2, Frame(address, kind, control & 0x0F)
