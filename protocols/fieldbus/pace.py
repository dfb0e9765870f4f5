"""How do a gateway and a pack hear each other in the ASCII that PACE, Seplos V2 and Pylontech packs share?

    ~  VER ADR CID1 CID2  LENGTH(4)  INFO...  CHKSUM(4)  CR         every byte as two hexadecimal characters

LENGTH is a nibble LCHK and twelve bits LENID, the count of INFO's characters; the nibbles of both come to a multiple of
16. CHKSUM is 10000h less the sum of the characters from VER to the last of INFO. In an answer CID2 is a status, and
nothing says to which question. 9600 or 19200 8N1, and slow. What is said stands in `pace_app`. (facts: cabinets 1.9.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.fieldbus.expect import CRC, FOREIGN
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, Sound, Wrong

REPLY_S: Final = 2.0
TRIES: Final = 3
INFO_MAX: Final = 0xFFF // 2  # bytes; LENID has twelve bits

_HEX: Final = re.compile(rb"~[0-9A-Fa-f]*")
_AROUND: Final = 16  # characters between ~ and CR besides INFO
_CHARACTERS_MAX: Final = _AROUND + 2 * INFO_MAX


class Status(IntEnum):
    """CID2 of an answer."""

    OK = 0x00
    WRONG_VERSION = 0x01
    WRONG_SUM = 0x02
    WRONG_LENGTH_SUM = 0x03
    UNKNOWN_COMMAND = 0x04
    WRONG_FORMAT = 0x05
    WRONG_DATA = 0x06
    NO_DATA = 0x07
    NOT_DONE = 0x09
    WRONG_ADDRESS = 0x90
    INTERNAL_LINK = 0x91
    WRONG_KIND = 0xE1
    FAILED = 0xE2
    EQUIPMENT = 0xE3
    NOT_ALLOWED = 0xE4


_STATUSES: Final = frozenset(Status)


@dataclass(frozen=True, slots=True)
class Dialect:
    """version: VER. kind: CID1, 46h for iron phosphate, 4Fh for lithium ion, 4Ah for some boards of version 20."""

    version: int
    kind: int


PACE: Final = Dialect(0x25, 0x46)
PACE_V20: Final = Dialect(0x20, 0x4A)
SEPLOS: Final = Dialect(0x20, 0x46)


@dataclass(frozen=True, slots=True)
class Frame:
    """code: CID2, a command or a status."""

    dialect: Dialect
    address: int
    code: int
    info: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """status: a `Status`; `info` is worth something with OK alone."""

    status: int
    info: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What a pack hears."""

    command: int
    info: bytes


def request_frame(dialect: Dialect, address: int, command: int, info: bytes = b"") -> bytes:
    """Raises ValueError when info is longer than LENID can say."""
    return encode(Frame(dialect, address, command, info))


def answer_frame(dialect: Dialect, address: int, info: bytes = b"", status: int = Status.OK) -> bytes:
    """A pack's answer."""
    return encode(Frame(dialect, address, status, info))


def expect(dialect: Dialect, address: int, asked: bytes = b"") -> FrameExpect[Frame, Reply]:
    """Finds the answer of one pack. asked: the request as sent, so that its echo is known.

    Which question an answer belongs to shows in its form at best: all have one shape.
    """

    def judge(frame: Frame) -> Reply | Wrong:
        mine = frame.dialect == dialect and frame.address == address and frame.code in _STATUSES
        return Reply(frame.code, frame.info) if mine else Wrong(FOREIGN)

    return FrameExpect(cut, judge, ("pace", dialect, address), asked)


def ear(dialect: Dialect, address: int) -> Ear[Frame, Request]:
    """A pack's ear."""

    def mine(frame: Frame) -> Request | None:
        if frame.dialect != dialect or frame.address != address:
            return None
        return Request(frame.code, frame.info)

    return Ear(cut, mine)


def encode(frame: Frame) -> bytes:
    if len(frame.info) > INFO_MAX:
        raise ValueError(f"at most {INFO_MAX} bytes, not {len(frame.info)}")
    head = bytes((frame.dialect.version, frame.address, frame.dialect.kind, frame.code))
    text = (head + _length(2 * len(frame.info)).to_bytes(2, "big") + frame.info).hex().upper().encode()
    return b"~" + text + _checksum(text) + b"\r"


def cut(buffer: bytearray) -> Sound[Frame] | Bad | None:
    """A `hunt.Cut`. A ~ begins a frame wherever it stands."""
    start = buffer.find(b"~")
    if start != 0:
        return Bad(start if start > 0 else len(buffer))
    matched = _HEX.match(buffer)
    assert matched is not None, "it begins with ~"
    end = matched.end()
    if end > 1 + _CHARACTERS_MAX:
        return Bad(end)
    if end == len(buffer):
        return None
    if buffer[end : end + 1] != b"\r":
        return Bad(end)
    raw = bytes(buffer[: end + 1])
    frame = _frame(raw[1:-1])
    return Bad(len(raw), CRC) if frame is None else Sound(raw, frame)


def _frame(text: bytes) -> Frame | None:
    """text: hexadecimal characters."""
    if len(text) < _AROUND or len(text) % 2 or _checksum(text[:-4]) != text[-4:].upper():
        return None
    body = bytes.fromhex(text[:-4].decode("ascii"))
    info = body[6:]
    if int.from_bytes(body[4:6], "big") != _length(2 * len(info)):
        return None
    return Frame(Dialect(body[0], body[2]), body[1], body[3], info)


def _length(characters: int) -> int:
    """LENGTH: LCHK and LENID."""
    nibbles = (characters >> 8) + (characters >> 4 & 15) + (characters & 15)
    return (-nibbles & 15) << 12 | characters


def _checksum(text: bytes) -> bytes:
    return b"%04X" % (-sum(text) & 0xFFFF)
