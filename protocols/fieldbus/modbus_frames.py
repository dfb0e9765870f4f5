"""Where in a stream of bytes is a Modbus frame, and what is all the rest?

    RTU    unit  function  data...  crc-lo crc-hi                 no start, no length: known only by content
    ASCII  ':'   the same in hex with an LRC                CR LF
    TCP    transaction(2)  0(2)  length(2)  unit  function  data

An RTU answer is found by what it must begin with and by its length, both known from the request, and believed by its
CRC.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerAscii, FramerBase, FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LATE, LENGTH, NOISE

RTU_MAX: Final = 256
ASCII_MAX: Final = 2 * 255 + 3
TCP_MAX: Final = 260
# Bytes kept while nothing fits. Twice the longest frame, so that a whole frame behind a broken one is never cut.
BUFFER_MAX: Final = 2 * ASCII_MAX


class Framing(Enum):
    """How a PDU travels."""

    RTU = "rtu"
    ASCII = "ascii"
    TCP = "tcp"


_REQUESTS: Final = DecodePDU(True)
_ANSWERS: Final = DecodePDU(False)
_FRAMERS: Final[dict[Framing, FramerBase]] = {
    Framing.RTU: FramerRTU(_ANSWERS),
    Framing.ASCII: FramerAscii(_ANSWERS),
    Framing.TCP: FramerSocket(_ANSWERS),
}


def encode_frame(framing: Framing, unit: int, pdu: bytes, transaction_id: int = 0) -> bytes:
    """`pdu` as it travels. unit: 0..=255."""
    if not 0 <= unit <= 255:
        raise ValueError(f"a unit is 0..=255, not {unit}")
    return _FRAMERS[framing].encode(pdu, unit, transaction_id & 0xFFFF)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The one right answer: function code, then `head`, `size` bytes of PDU in all; or the refusal of that function."""

    unit: int
    function: int
    head: bytes
    size: int

    def accepts(self, unit: int, pdu: bytes) -> bool:
        if unit != self.unit:
            return False
        if pdu[0] == self.function | 0x80:
            return len(pdu) == 2
        return pdu[0] == self.function and len(pdu) == self.size and pdu[1 : 1 + len(self.head)] == self.head


class Hunt:
    """Looks for one answer. `feed` and `give_up` give its PDU, or None."""

    def __init__(self, framing: Framing, wanted: Wanted, asked: bytes, transaction_id: int) -> None:
        self.discarded: dict[str, int] = {}
        self._framing = framing
        self._wanted = wanted
        self._transaction_id = transaction_id & 0xFFFF
        self._request = encode_frame(framing, wanted.unit, asked, transaction_id)
        self._mirrored = asked[:5] == asked and asked[1:] == wanted.head  # the right answer equals the request
        self._buffer = bytearray()
        self._heads = (
            bytes((wanted.unit, wanted.function)) + wanted.head,
            bytes((wanted.unit, wanted.function | 0x80)),
        )

    def feed(self, data: bytes) -> bytes | None:
        self._buffer += data
        found = self._look(sure=True)
        if found is None and len(self._buffer) > BUFFER_MAX:
            self._throw_away(len(self._buffer) - BUFFER_MAX)
        return found

    def give_up(self) -> bytes | None:
        found = self._look(sure=False)
        self._throw_away(len(self._buffer))
        return found

    def _look(self, *, sure: bool) -> bytes | None:
        if self._framing is Framing.RTU:
            return self._look_rtu(sure=sure)
        return self._look_marked()

    def _look_rtu(self, *, sure: bool) -> bytes | None:
        """The first place where the answer or a refusal fits. sure: an earlier place that may yet fit is waited for."""
        buffer, size = self._buffer, self._wanted.size + 3
        starts = sorted(
            [(start, size) for start in _places(buffer, self._heads[0])]
            + [(start, 5) for start in _places(buffer, self._heads[1])]
        )
        for start, length in starts:
            end = start + length
            if end > len(buffer):
                if sure:
                    return None
            elif _crc_fits(buffer, start, end):
                self._throw_away(start)
                pdu = bytes(self._buffer[1 : length - 2])
                del self._buffer[:length]
                self._throw_away(len(self._buffer))
                return pdu
        return None

    def _look_marked(self) -> bytes | None:
        """ASCII and TCP say where a frame ends; take them one by one."""
        take = _take_ascii if self._framing is Framing.ASCII else _take_tcp
        while (taken := take(self._buffer)) is not None:
            used, unit, pdu, transaction_id = taken
            raw = bytes(self._buffer[:used])
            del self._buffer[:used]
            if not pdu:
                self._count(CRC if raw[:1] == b":" and raw[-1:] == b"\n" else NOISE, used)
            elif self._framing is Framing.TCP and transaction_id != self._transaction_id:
                self._count(LATE, used)
            elif raw == self._request and not self._mirrored:
                self._count(ECHO, used)
            elif self._wanted.accepts(unit, pdu):
                return pdu
            else:
                self._count(self._kind(unit, pdu[0]), used)
        return None

    def _throw_away(self, count: int) -> None:
        """Drop the first `count` bytes, each counted under its kind."""
        junk = bytes(self._buffer[:count])
        del self._buffer[:count]
        at = 0
        while at < len(junk):
            kind, size = self._sort(junk, at) if self._framing is Framing.RTU else (NOISE, len(junk) - at)
            self._count(kind, size)
            at += size

    def _sort(self, junk: bytes, at: int) -> tuple[str, int]:
        """The kind and the size of what stands at `at`."""
        if junk.startswith(self._request, at):
            return ECHO, len(self._request)
        unit, function = junk[at], junk[at + 1] if at + 1 < len(junk) else 0
        for size in (_rtu_size(_ANSWERS, junk, at), _rtu_size(_REQUESTS, junk, at)):
            if size and at + size <= len(junk) and _crc_fits(junk, at, at + size):
                return self._kind(unit, function), size
        for head, size in zip(self._heads, (self._wanted.size + 3, 5), strict=True):
            if junk.startswith(head, at) and at + size <= len(junk):
                return CRC, size
        return NOISE, 1

    def _kind(self, unit: int, function: int) -> str:
        ours = unit == self._wanted.unit and function & 0x7F == self._wanted.function
        return LENGTH if ours else FOREIGN

    def _count(self, kind: str, count: int) -> None:
        if count:
            self.discarded[kind] = self.discarded.get(kind, 0) + count


def find_request(framing: Framing, buffer: bytearray) -> tuple[tuple[int, bytes, int] | None, int]:
    """Take the first whole request off `buffer`: (unit, PDU, transaction) or None, and how many bytes were noise."""
    noise = 0
    if framing is not Framing.RTU:
        take = _take_ascii if framing is Framing.ASCII else _take_tcp
        while (taken := take(buffer)) is not None:
            used, unit, pdu, transaction_id = taken
            del buffer[:used]
            if pdu:
                return (unit, pdu, transaction_id), noise
            noise += used
        return None, noise
    for start in range(len(buffer) - 1):
        size = _rtu_size(_REQUESTS, buffer, start)
        if size is None or size > RTU_MAX:
            continue
        if size == 0 or start + size > len(buffer):
            del buffer[:start]
            return None, start
        if _crc_fits(buffer, start, start + size):
            unit, pdu = buffer[start], bytes(buffer[start + 1 : start + size - 2])
            del buffer[: start + size]
            return (unit, pdu, 0), start
    noise = max(0, len(buffer) - 1)
    del buffer[:noise]
    return None, noise


def _places(buffer: bytearray, head: bytes) -> list[int]:
    places = []
    at = buffer.find(head)
    while at >= 0:
        places.append(at)
        at = buffer.find(head, at + 1)
    return places


def _crc_fits(buffer: bytes | bytearray, start: int, end: int) -> bool:
    return FramerRTU.check_CRC(bytes(buffer[start : end - 2]), (buffer[end - 2] << 8) | buffer[end - 1])


def _rtu_size(decoder: DecodePDU, buffer: bytes | bytearray, at: int) -> int | None:
    """Length of the frame that would begin at `at`. 0: too few bytes to say. None: nothing begins like this."""
    window = bytes(buffer[at : at + 16])
    if len(window) < 2:
        return None
    try:
        pdu_class = decoder.lookupPduClass(window)
        if pdu_class is None:
            return None
        return pdu_class.calculateRtuFrameSize(window)
    except (IndexError, struct.error):  # the length stands further on
        return 0
    except ModbusException:  # pymodbus knows the function, but not how long it is
        return None


def _take_ascii(buffer: bytearray) -> tuple[int, int, bytes, int] | None:
    """(bytes used, unit, PDU, 0); the PDU is empty when the bytes are junk. None: more is needed."""
    start = buffer.find(b":")
    if start != 0:
        return (len(buffer) if start < 0 else start, 0, b"", 0) if buffer else None
    end = buffer.find(b"\r\n")
    again = buffer.find(b":", 1, end if end >= 0 else len(buffer))
    if again > 0:  # a colon begins a frame, always; what stood before it was broken off
        return again, 0, b"", 0
    if end < 0:
        return (len(buffer), 0, b"", 0) if len(buffer) > ASCII_MAX else None
    try:
        body = bytes.fromhex(buffer[1:end].decode("ascii"))
    except ValueError:
        return end + 2, 0, b"", 0
    if len(body) < 3 or not FramerAscii.check_LRC(body[:-1], body[-1]):
        return end + 2, 0, b"", 0
    return end + 2, body[0], body[1:-1], 0


def _take_tcp(buffer: bytearray) -> tuple[int, int, bytes, int] | None:
    """(bytes used, unit, PDU, transaction); the PDU is empty when the bytes are junk. None: more is needed."""
    if len(buffer) < 8:
        return None
    length = int.from_bytes(buffer[4:6], "big")
    if buffer[2:4] != b"\0\0" or not 2 <= length <= TCP_MAX - 6:
        return 1, 0, b"", 0
    if len(buffer) < 6 + length:
        return None
    return 6 + length, buffer[6], bytes(buffer[7 : 6 + length]), int.from_bytes(buffer[:2], "big")
