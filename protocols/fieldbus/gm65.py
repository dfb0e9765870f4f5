"""What do a gateway and a Grow scanner of QR codes (GM65, GM66, GM861 ...) say to each other? Both roles. 9600 8N1.

    7E 00  07 01 address(2) count       CRC    read `count` settings      02 00  00 count data...  CRC
    7E 00  08 n  address(2) data(n)     CRC    write settings             02 00  00 01 00          CRC
    7E 00  09 01 00 00 00               CRC    keep them over power-off   02 00  00 01 00          CRC
    7E 00  0A 01 00 00 00               CRC    are you there?             03 00  00 01 00          CRC

    a code       its bytes CR, LF or CR LF             as it comes from the factory
                 03 length(2) its bytes                with bit 7 of setting 0060

CRC-16/CCITT from 0, high byte first, over type to data. In commands AB CD may stand for it, in answers not. An answer
begins like no text, and the length of a code in a frame is never 0, which tells it from the answer to 0A.

A scanner speaks whenever it sees a code, so in service one `ear` hears all. It obeys printed setup codes too: shut them
off when commissioning. (facts: cabinets 8; answers: Tasmota's GM861.)
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.expect import CRC, FOREIGN, LENGTH, NeedMore
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, Sound, Wrong

CODE_MAX: Final = 1024  # ours have some 450 bytes; the greatest QR code of all has 7089 digits
COUNT_MAX: Final = 255

TRIGGER: Final = 0x0002  # bit 0: look for a code now, when the mode is "by command"
BAUD: Final = 0x002A  # 2 bytes, low one first: 3 000 000 / baud; 39 01 is 9600
TAIL: Final = 0x0060  # bit 0: an end of line, bit 7: codes in frames; some models have the tail's kind in 000E

_READ, _WRITE, _KEEP, _ALIVE = 0x07, 0x08, 0x09, 0x0A
_UNCHECKED: Final = b"\xab\xcd"

_ANSWER_HEAD: Final = re.compile(rb"\x02\x00|\x03")
_LINE_END: Final = re.compile(rb"[\r\n]+|[\x02\x03]")
_QUESTION_HEAD: Final = re.compile(rb"\x7e\x00")


@dataclass(frozen=True, slots=True)
class Read:
    """`count` settings from an address on, 1..=255."""

    address: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Write:
    """Settings from an address on, 1..=255 bytes. Lost at power-off unless kept."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep all settings. It wears the scanner's flash: only when one was changed."""


@dataclass(frozen=True, slots=True)
class AskAlive:
    """Are you there? The maker asks for it every ten seconds, and for a reset after three without answer."""


Question = Read | Write | Keep | AskAlive


@dataclass(frozen=True, slots=True)
class Code:
    """What a scanner has read, without its end of line."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """result: 0: done; no source says what else there is. data: what was read; of others one byte, or two."""

    result: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Alive:
    """The answer to AskAlive."""


Said = Code | Answer | Alive


def request_frame(question: Question, *, checked: bool = True) -> bytes:
    """checked: False: with AB CD for the CRC. Raises ValueError for an address or a count that cannot be said."""
    match question:
        case Read(address, count) if 1 <= count <= COUNT_MAX:
            body = _body(_READ, address, bytes((count,)))
        case Write(address, data) if 1 <= len(data) <= COUNT_MAX:
            body = _body(_WRITE, address, data)
        case Keep():
            body = _body(_KEEP, 0, b"\x00")
        case AskAlive():
            body = _body(_ALIVE, 0, b"\x00")
        case _:
            raise ValueError(f"a scanner reads and writes 1..={COUNT_MAX} settings: {question}")
    return b"\x7e\x00" + (_closed(body) if checked else body + _UNCHECKED)


def answer(data: bytes = b"\x00", result: int = 0) -> bytes:
    """A scanner's answer. data: 1..=255 bytes; 00 to everything but Read."""
    return b"\x02\x00" + _closed(bytes((result, len(data))) + data)


def alive() -> bytes:
    """A scanner's answer to AskAlive."""
    return b"\x03\x00" + _closed(b"\x00\x01\x00")


def code_line(data: bytes, end: bytes = b"\r") -> bytes:
    """A code as a line of text."""
    return data + end


def code_frame(data: bytes) -> bytes:
    """A code in a frame. Raises ValueError for none at all, or more than 1024 bytes."""
    if not 1 <= len(data) <= CODE_MAX:
        raise ValueError(f"a framed code has 1..={CODE_MAX} bytes, not {len(data)}")
    return b"\x03" + len(data).to_bytes(2, "big") + data


def ear() -> Ear[Said, Said]:
    """The gateway's ear in service: codes, and answers to whatever was asked. An empty line is nothing."""
    return _GatewayEar()


def expect(question: Question) -> FrameExpect[Said, bytes]:
    """Finds the answer to one question, for finding and setting up a scanner; of AskAlive it is empty.

    A code that comes meanwhile is counted FOREIGN and lost.
    """

    def judge(said: Said) -> bytes | Wrong:
        match question, said:
            case AskAlive(), Alive():
                return b""
            case AskAlive(), _:
                return Wrong(FOREIGN)
            case Read(_, count), Answer(0, data):
                return data if len(data) == count else Wrong(LENGTH)
            case _, Answer(0, data):
                return data
            case _:
                return Wrong(FOREIGN)

    return FrameExpect(_Cut(), judge, ("gm65",), request_frame(question))


def scanner_ear() -> Ear[Question, Question]:
    """The scanner's ear."""
    return Ear(_questions, lambda question: question)


class _GatewayEar(Ear[Said, Said]):
    def __init__(self) -> None:
        self._lines = _Cut()
        super().__init__(self._lines, lambda said: None if said == Code(b"") else said)

    def silence(self) -> Said | NeedMore:
        found = super().silence()
        self._lines.overlong = False
        return found


class _Cut:
    """A `hunt.Cut` for what a scanner says. overlong: the rest of such a line is still to come."""

    def __init__(self) -> None:
        self.overlong = False

    def __call__(self, buffer: bytearray) -> Sound[Said] | Bad | None:
        if buffer[0] in (0x02, 0x03):
            return _frame(buffer)
        end = _LINE_END.search(buffer, 0, CODE_MAX + 1)
        if end is None:
            if len(buffer) <= CODE_MAX:
                return None
            self.overlong = True
            return Bad(CODE_MAX)
        at = end.start()
        overlong, self.overlong = self.overlong, False
        if buffer[at] in (0x02, 0x03):  # the beginning of this line, or the end of it, was lost
            return Bad(at)
        if overlong:
            return Bad(end.end())
        return Sound(bytes(buffer[: end.end()]), Code(bytes(buffer[:at])))


def _frame(buffer: bytearray) -> Sound[Said] | Bad | None:
    """An answer, or a code in a frame."""
    if len(buffer) < 4:
        return Bad(1) if buffer[0] == 0x02 and any(buffer[1:2]) else None
    framed = int.from_bytes(buffer[1:3], "big")
    if buffer[0] == 0x03 and framed:
        if framed > CODE_MAX:
            return Bad(1)
        end = 3 + framed
        return Sound(bytes(buffer[:end]), Code(bytes(buffer[3:end]))) if len(buffer) >= end else None
    if buffer[1] or buffer[3] == 0:
        return Bad(1)
    end = 4 + buffer[3] + 2
    if len(buffer) < end:
        return None
    body = bytes(buffer[2 : end - 2])
    if _closed(body) != buffer[2:end]:
        return _damaged(buffer, end, _ANSWER_HEAD)
    if buffer[0] == 0x03:
        return Sound(bytes(buffer[:end]), Alive()) if body == b"\x00\x01\x00" else Bad(end)
    return Sound(bytes(buffer[:end]), Answer(body[0], body[2:]))


def _questions(buffer: bytearray) -> Sound[Question] | Bad | None:
    """A `hunt.Cut` for what a gateway says."""
    if not b"\x7e\x00".startswith(buffer[:2]):
        again = buffer.find(0x7E, 1)
        return Bad(again if again > 0 else len(buffer))
    if len(buffer) < 4:
        return None
    if buffer[3] == 0 or not _READ <= buffer[2] <= _ALIVE:
        return Bad(2)
    end = 6 + buffer[3] + 2
    if len(buffer) < end:
        return None
    body = bytes(buffer[2 : end - 2])
    if bytes(buffer[end - 2 : end]) not in (_UNCHECKED, _closed(body)[-2:]):
        return _damaged(buffer, end, _QUESTION_HEAD)
    question = _question(body[0], int.from_bytes(body[2:4], "big"), body[4:])
    return Bad(end) if question is None else Sound(bytes(buffer[:end]), question)


def _question(kind: int, address: int, data: bytes) -> Question | None:
    match kind:
        case 0x07 if len(data) == 1 and data[0]:
            return Read(address, data[0])
        case 0x08:
            return Write(address, data)
        case 0x09 if (address, data) == (0, b"\x00"):
            return Keep()
        case 0x0A if (address, data) == (0, b"\x00"):
            return AskAlive()
        case _:
            return None


def _damaged(buffer: bytearray, end: int, head: re.Pattern[bytes]) -> Bad:
    """A frame with a wrong CRC. Its length may be wrong too: it ends where another may begin."""
    again = head.search(buffer, 1, end)
    return Bad(again.start() if again else end, CRC)


def _body(kind: int, address: int, data: bytes) -> bytes:
    if not 0 <= address <= 0xFFFF:
        raise ValueError(f"a scanner's setting is 0..=FFFF, not {address:X}")
    return bytes((kind, len(data))) + address.to_bytes(2, "big") + data


def _closed(body: bytes) -> bytes:
    """`body` with its CRC."""
    return body + crc_hqx(body, 0).to_bytes(2, "big")
