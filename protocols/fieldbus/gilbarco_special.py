"""Gilbarco Two-Wire: what does a pump answer to a special function?

    : LL p s0 s1 s2 RR d.. CC CR LF      each an ASCII character with bit 7 set

LL data bytes, p the pump's digit, s the function with its lowest digit first, RR blocks to come, d the data as hex
digits, CC the two's complement of the sum of all hex pairs before it. (facts: Gilbarco 2.4. The two replies in the
maker's document have a CC that does not fit; every one from the field does.)
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.gilbarco import Bad, nibble, pump_of

EXTENDED_STATUS: Final = 0x010
CONFIGURATION: Final = 0x00E
REPLY_MAX: Final = 64  # characters; 00E has 27, LL could say more than any head sends
_COLON: Final = 0xBA
_CR_LF: Final = b"\x8d\x8a"
_AROUND: Final = 13  # characters beside the data
_HEX: Final = frozenset(string.hexdigits.upper())


@dataclass(frozen=True, slots=True)
class SpecialReply:
    """The answer as it stands. data: hex digits, capital letters. remaining: blocks of this answer still to come."""

    pump: int
    function: int
    data: str
    remaining: int = 0


@dataclass(frozen=True, slots=True)
class ExtendedStatus:
    """The answer to 0x010. nozzle: the one selected, 1..=15; None: none.

    totals_flag: on Chinese heads, where the hundredths of the volume totals are: 0 nowhere, 1 in this reply, 2 in the
    totals. needs_level, needs_grade, needs_push: what the pump still waits for before it can be authorised.
    """

    nozzle_out: bool
    nozzle: int | None
    totals_flag: int = 0
    needs_level: bool = True
    needs_grade: bool = False
    needs_push: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """The answer to 0x00E, as numbers. amount_digits: of a money preset, 5 or 6; another number: not understood."""

    unit_type: int
    volume_unit: int
    amount_digits: int
    auto_on: int


def encode_special(reply: SpecialReply) -> bytes:
    """As a pump sends it. Raises ValueError where the data are no whole bytes of hex."""
    if len(reply.data) % 2 or not _HEX.issuperset(reply.data) or len(reply.data) > 2 * 0xFF:
        raise ValueError(f"expected whole bytes as hex digits, got {reply.data!r}")
    function = "".join(f"{reply.function >> shift & 0xF:X}" for shift in (0, 4, 8))
    text = f"{len(reply.data) // 2:02X}{nibble(reply.pump):X}{function}{reply.remaining:02X}{reply.data}"
    return bytes([_COLON, *(0x80 | ord(one) for one in f"{text}{_check(text):02X}")]) + _CR_LF


def decode_special(frame: bytes) -> SpecialReply | Bad:
    """Never raises."""
    if len(frame) < _AROUND or frame[0] != _COLON or frame[-2:] != _CR_LF:
        return Bad.SHAPE
    text = "".join(chr(one & 0x7F) if one & 0x80 else "?" for one in frame[1:-2])
    if not _HEX.issuperset(text):
        return Bad.SHAPE
    if len(frame) != _AROUND + 2 * int(text[:2], 16):
        return Bad.LENGTH
    if int(text[-2:], 16) != _check(text[:-2]):
        return Bad.LRC
    return SpecialReply(
        pump=pump_of(int(text[2], 16)),
        function=int(text[5] + text[4] + text[3], 16),
        data=text[8:-2],
        remaining=int(text[6:8], 16),
    )


def encode_extended_status(pump: int, status: ExtendedStatus) -> bytes:
    """The whole answer to 0x010."""
    flags = (
        status.totals_flag,
        not status.needs_level,
        not status.needs_grade,
        status.nozzle_out,
        not status.needs_push,
        status.nozzle or 0,
    )
    return encode_special(SpecialReply(pump, EXTENDED_STATUS, "".join(f"{int(flag):X}" for flag in flags)))


def extended_status(reply: SpecialReply) -> ExtendedStatus | Bad:
    """What 0x010 says. Never raises."""
    if reply.function != EXTENDED_STATUS or len(reply.data) != 6:
        return Bad.SHAPE
    totals, level, grade, out, push, nozzle = (int(one, 16) for one in reply.data)
    return ExtendedStatus(out == 1, nozzle or None, totals, level == 0, grade == 0, push == 0)


def encode_configuration(pump: int, configuration: Configuration) -> bytes:
    """The whole answer to 0x00E."""
    numbers = (configuration.unit_type, configuration.volume_unit, 0, 0, 0, configuration.amount_digits)
    data = "".join(f"{one:02X}" for one in (*numbers, configuration.auto_on))
    return encode_special(SpecialReply(pump, CONFIGURATION, data))


def configuration(reply: SpecialReply) -> Configuration | Bad:
    """What 0x00E says. Never raises."""
    if reply.function != CONFIGURATION or len(reply.data) != 14:
        return Bad.SHAPE
    fields = [int(reply.data[at : at + 2], 16) for at in range(0, 14, 2)]
    return Configuration(fields[0], fields[1], amount_digits=fields[5], auto_on=fields[6])


def _check(text: str) -> int:
    return -sum(int(text[at : at + 2], 16) for at in range(0, len(text), 2)) & 0xFF
