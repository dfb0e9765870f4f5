"""How do a gateway and a PN532 (13.56 MHz) hear each other on its UART? 115200 8N1.

    00  00 FF  LEN LCS             TFI data...  DCS  00     LEN: TFI and data, 1..=255
    00  00 FF  FF FF LENM LENL LCS TFI data...  DCS  00     extended: up to 265
    00  00 FF  00 FF  00                                    ACK; NACK is FF 00

The bytes of a length and LCS, and those of TFI to DCS, add up to 0. TFI is D4 from the host, D5 from the chip; the
chip's error frame is a lone 7F. The 00 around a frame may be switched off. What the commands say stands in `pn532_app`.

    host  command  ->
                   <-  ACK at once, 15 ms at most; else the command was not heard and is sent again
                   <-  response, with the command's code and one more
    host  ACK      ->  ends a command whose response is not awaited any longer

The chip sleeps after power-on: WAKE_UP goes before the first command. (facts: cabinets 8; nfcpy.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LATE, NEED_MORE, NeedMore
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, Sound, Wrong, sum8

HOST: Final = 0xD4
CHIP: Final = 0xD5
LENGTH_MAX: Final = 265  # TFI and data

WAKE_UP: Final = b"\x55\x55" + bytes(12)  # the 00 give it time: it needs 2 ms at most

ACK: Final = b"\x00\x00\xff\x00\xff\x00"
ERROR: Final = b"\x00\x00\xff\x01\xff\x7f\x81\x00"

# 00 FF, and the 00 before it: its own, and the one behind the frame before it.
_HEAD: Final = re.compile(rb"\x00{0,2}\x00\xff")
_ZEROS: Final = 3  # at the end of a buffer they may begin a head


class Short(Enum):
    """Frames without data; the value is what stands for the length."""

    ACK = b"\x00\xff"
    NACK = b"\xff\x00"  # from the host: say your response again


class Refused(Enum):
    """An answer instead of the response."""

    SYNTAX = "syntax"  # the chip does not know the command, or not with these parameters


@dataclass(frozen=True, slots=True)
class Info:
    """A frame with data. tfi: HOST, CHIP, or the error frame's 7F."""

    tfi: int
    data: bytes


Frame = Info | Short

_SHORTS: Final = {short.value: short for short in Short}


def encode(frame: Frame, *, plain: bool = False) -> bytes:
    """`frame` as it travels. plain: without the 00 around it. Raises ValueError for too many bytes."""
    if isinstance(frame, Short):
        body = frame.value
    else:
        data = bytes((frame.tfi,)) + frame.data
        size = len(data)
        if size > LENGTH_MAX:
            raise ValueError(f"a PN532 frame holds at most {LENGTH_MAX} bytes, not {size}")
        length = bytes((size,)) if size <= 0xFF else size.to_bytes(2, "big")
        body = b"" if size <= 0xFF else b"\xff\xff"
        body += length + _complement(length) + data + _complement(data)
    return b"\x00\xff" + body if plain else b"\x00\x00\xff" + body + b"\x00"


def command_frame(data: bytes) -> bytes:
    """data: the command's code and parameters."""
    return encode(Info(HOST, data))


def response_frame(data: bytes) -> bytes:
    """The chip's. data: the command's code and one more, and what it says."""
    return encode(Info(CHIP, data))


class ResponseExpect(FrameExpect[Frame, bytes | Refused]):
    """Finds the response to a command; an `expect.Expect`. It gives what follows the response's code.

    A response before the ACK belongs to an earlier command: it may tell of a card that is gone.
    """

    def __init__(self, command: bytes) -> None:
        """command: its code and parameters."""
        super().__init__(cut, self._judge, ("pn532", command[0]))
        self._code = command[0]
        self._acknowledged = False

    def give_up(self) -> bytes | Refused | NeedMore:
        found = super().give_up()
        self._acknowledged = False
        return found

    def _judge(self, frame: Frame) -> bytes | Refused | NeedMore | Wrong:
        match frame:
            case Short.ACK:
                self._acknowledged = True
                return NEED_MORE
            case Info(tfi=0xD4):
                return Wrong(ECHO)
            case Info(tfi=0x7F):
                return Refused.SYNTAX if self._acknowledged else Wrong(LATE)
            case Info(0xD5, data) if data[:1] == bytes((self._code + 1,)):
                return data[1:] if self._acknowledged else Wrong(LATE)
            case _:
                return Wrong(FOREIGN)


def ear() -> Ear[Frame, bytes | Short]:
    """The chip's ear: a command's code and parameters, an ACK that ends one, or a NACK."""
    return Ear(cut, _for_the_chip)


def cut(buffer: bytearray) -> Sound[Frame] | Bad | None:
    """A `hunt.Cut`."""
    head = _HEAD.search(buffer)
    if head is None:
        kept = next(count for count in range(_ZEROS, -1, -1) if buffer.endswith(bytes(count)))
        return Bad(len(buffer) - kept) if len(buffer) > kept else None
    if head.start() > 0:
        return Bad(head.start())
    start = head.end()
    size, data = _length(buffer, start)
    if size is None:
        return None
    short = _SHORTS.get(bytes(buffer[start : start + 2]))
    if short is not None:
        return Sound(bytes(buffer[: start + 2]), short)
    end = data + size + 1
    if not 1 <= size <= LENGTH_MAX:
        return Bad(start)
    if len(buffer) < end:
        return None
    if sum8(buffer[data:end]):
        again = _HEAD.search(buffer, start, end)  # its length may be wrong too
        return Bad(again.start() if again else end, CRC)
    return Sound(bytes(buffer[:end]), Info(buffer[data], bytes(buffer[data + 1 : end - 1])))


def _length(buffer: bytearray, at: int) -> tuple[int | None, int]:
    """The length that stands at `at`, and where the data begin. None: more is needed. 0: it is no length, or none."""
    field = bytes(buffer[at : at + 5])
    if len(field) < 2:
        return None, 0
    if field[:2] != b"\xff\xff":
        return (0 if sum8(field[:2]) else field[0]), at + 2
    if len(field) < 5:
        return None, 0
    return (0 if sum8(field[2:]) else int.from_bytes(field[2:4], "big")), at + 5


def _for_the_chip(frame: Frame) -> bytes | Short | None:
    if isinstance(frame, Short):
        return frame
    return frame.data if frame.tfi == HOST and frame.data else None


def _complement(data: bytes) -> bytes:
    return bytes((-sum(data) & 0xFF,))
