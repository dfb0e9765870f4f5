"""Where in a stream of bytes is an AZT 2.0 frame, and how is one written?

    host -> pump   DEL start adr ~adr cmd ~cmd [d ~d]... ETX ETX CS     the broadcast has no adr
    pump -> host   DEL STX   [d ~d]...              ETX ETX CS          long answer: no address in it
                   DEL ACK | DEL NAK | DEL CAN                          short answer

Every byte b of the payload is followed by b ^ 7Fh. CS is the XOR of the payload (without complements) and one ETX, with
bit 6 set. Payload bytes are 20h..=5Eh, so that neither they nor their complements are ever DEL or a control character:
DEL begins a frame wherever it stands, but for CS, which may be 7Fh too.

Addresses 1..=15 start with STX. Above, the start byte counts blocks of 15, from 07h on; where a block ends the sources
differ, see `Above15`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

DEL: Final = 0x7F
STX: Final = 0x02
ETX: Final = 0x03
START_ABOVE: Final = 0x07  # of the first block above 15
START_LAST: Final = 0x14
ADDRESS_MAX: Final = 225  # fifteen blocks of fifteen
PAYLOAD_MAX: Final = 255  # one source's limit; longer is noise

_ADDRESS_BASE: Final = 0x20
_STARTS: Final = frozenset({STX, *range(START_ABOVE, START_LAST + 1)})


class Short(Enum):
    """The short answers; the value is the byte behind DEL."""

    ACK = 0x06
    NAK = 0x15  # command not supported: repeating it is useless
    CAN = 0x18  # not possible now


_SHORTS: Final = {short.value: short for short in Short}


class Above15(Enum):
    """How a pump's number above 15 is written. The two differ at the multiples of 15 only.

    BLOCKS: 16 is 07 21, 30 is 07 2F, 31 is 08 21 (a pump's own table). MODULO: start 06h + n / 15 and address 20h + n
    mod 15, so that 30 is 08 20 (two host programs of one author).
    """

    BLOCKS = "blocks"
    MODULO = "modulo"


@dataclass(frozen=True, slots=True)
class Long:
    """A long frame. start: STX or, in requests, a higher block. payload: without complements; from the host it begins
    with the address byte, unless it is a broadcast."""

    start: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Bad:
    """Bytes that are no frame. damaged: they began like one; else they are noise."""

    size: int
    damaged: bool


Frame = Long | Short | Bad


def wire_address(number: int, above_15: Above15 = Above15.BLOCKS) -> tuple[int, int]:
    """Start byte and address byte of pump `number`, 1..=225 (MODULO: 224). Raises ValueError outside of that."""
    last = ADDRESS_MAX - (above_15 is Above15.MODULO)  # its 225 would start with 15h
    if not 1 <= number <= last:
        raise ValueError(f"an AZT address is 1..={last}, not {number}")
    if number <= 15:
        return STX, _ADDRESS_BASE + number
    if above_15 is Above15.MODULO:
        return START_ABOVE - 1 + number // 15, _ADDRESS_BASE + number % 15
    block, place = divmod(number - 1, 15)
    return START_ABOVE - 1 + block, _ADDRESS_BASE + 1 + place


def is_request(payload: bytes) -> bool:
    """Whether `payload` begins with an address, and so comes from a host. No answer begins so."""
    return bool(payload) and _ADDRESS_BASE <= payload[0] <= _ADDRESS_BASE + 15


def checksum(payload: bytes) -> int:
    """CS over a payload without complements."""
    total = ETX
    for byte in payload:
        total ^= byte
    return total | 0x40


def encode_long(payload: bytes, start: int = STX) -> bytes:
    """Raises ValueError for bytes that cannot be told from control characters, or too many of them."""
    if len(payload) > PAYLOAD_MAX or any(not 0x20 <= byte <= 0x5E for byte in payload):
        raise ValueError(f"an AZT payload is at most {PAYLOAD_MAX} bytes of 20h..=5Eh, got {payload.hex(' ')}")
    doubled = bytes(part for byte in payload for part in (byte, byte ^ DEL))
    return bytes((DEL, start)) + doubled + bytes((ETX, ETX, checksum(payload)))


def encode_short(short: Short) -> bytes:
    return bytes((DEL, short.value))


def encode_request(start: int, address: int | None, command: int, data: bytes = b"") -> bytes:
    """start, address: of `wire_address`; None: the broadcast."""
    head = b"" if address is None else bytes((address,))
    return encode_long(head + bytes((command,)) + data, start)


class FrameReader:
    """Bytes in, frames out. It never holds more than one longest frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Take what arrived."""
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next frame, or the noise before it. None: more is needed."""
        buffer = self._buffer
        start = buffer.find(DEL)
        if start != 0:
            return self._take_bad(len(buffer) if start < 0 else start, damaged=False) if buffer else None
        if len(buffer) < 2:
            return None
        kind = buffer[1]
        if kind in _SHORTS:
            del buffer[:2]
            return _SHORTS[kind]
        if kind not in _STARTS:
            return self._take_bad(1, damaged=False)
        return self._long()

    def silence(self) -> Bad | None:
        """No more will come: what is left is no frame."""
        return self._take_bad(len(self._buffer), damaged=self._buffer[:1] == b"\x7f") if self._buffer else None

    def _long(self) -> Frame | None:
        buffer = self._buffer
        end = 2  # of the pairs that are in order
        while end + 1 < len(buffer) and _is_pair(buffer[end], buffer[end + 1]):
            end += 2
        if end > 2 + 2 * PAYLOAD_MAX:
            return self._take_bad(end, damaged=True)
        tail = bytes(buffer[end : end + 3])
        if len(tail) < 3 and _may_go_on(tail):
            return None
        if tail[:2] != b"\x03\x03":  # the next frame may begin at the very next DEL
            return self._take_bad(self._next_start(end), damaged=True)
        payload = bytes(buffer[2:end:2])
        if tail[2] != checksum(payload):
            # A frame whose end was lost runs into the next one: its DEL must not be eaten as the check sum.
            return self._take_bad(end + 2 if tail[2] == DEL else end + 3, damaged=True)
        long = Long(buffer[1], payload)
        del buffer[: end + 3]
        return long

    def _next_start(self, after: int) -> int:
        again = self._buffer.find(DEL, 1)
        return again if again > 0 else min(after + 1, len(self._buffer))

    def _take_bad(self, size: int, *, damaged: bool) -> Bad:
        del self._buffer[:size]
        return Bad(size, damaged)


def _is_pair(byte: int, complement: int) -> bool:
    return 0x20 <= byte <= 0x5E and byte ^ DEL == complement


def _may_go_on(tail: bytes) -> bool:
    """Whether fewer than three bytes behind the pairs may become a pair, or the end."""
    if not tail:
        return True
    return tail == b"\x03" * len(tail) or (len(tail) == 1 and 0x20 <= tail[0] <= 0x5E)
