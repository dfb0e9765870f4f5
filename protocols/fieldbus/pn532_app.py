"""What is said between a gateway and a PN532 to learn which cards are there? Both roles, without frames.

    02                  GetFirmwareVersion      ic version revision support
    14 01               SAMConfiguration        nothing: it reads cards by itself, without a secure module
    32 01 f             RFConfiguration: field  nothing
    32 05 FF 01 n       RFConfiguration: tries  nothing; by itself it tries for ever, silent until a card comes
    4A max modulation   InListPassiveTarget     count, and each target
    40 target data...   InDataExchange          status data...
    52 target           InRelease               status

What a target says stands in `pn532_targets`. (facts: cabinets 8; nfcpy.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.pn532_targets import TARGETS_MAX, Modulation, Target, targets_data

TRIES_ENDLESS: Final = 0xFF
DATA_MAX: Final = 262  # of an exchange, in a frame of 265

_FIRST_WORDS: Final = {
    Modulation.A_106: b"",
    Modulation.FELICA_212: b"\x00\xff\xff\x01\x00",  # poll: every system, say yours, one time slot
    Modulation.FELICA_424: b"\x00\xff\xff\x01\x00",
    Modulation.B_106: b"\x00",  # every application
}


@dataclass(frozen=True, slots=True)
class GetFirmware:
    """Who are you? Answered by `Firmware`."""


@dataclass(frozen=True, slots=True)
class NormalMode:
    """Read cards. The first command after waking up, or none of the others works."""


@dataclass(frozen=True, slots=True)
class Field:
    """Switch the field; off and on makes a card that stays there be found anew."""

    on: bool


@dataclass(frozen=True, slots=True)
class Tries:
    """How often ListTargets looks again, 0..=254; TRIES_ENDLESS: it answers only when there is a card."""

    again: int


@dataclass(frozen=True, slots=True)
class ListTargets:
    """Which cards are there? Answered by `targets`. targets_max: 1 or 2."""

    modulation: Modulation
    targets_max: int = 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """Say `data`, 0..=262 bytes, to the card with this logical number. Answered by `Exchanged`."""

    target: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """Be done with a card; 0: with all. Answered by `Exchanged` without data."""

    target: int = 0


Question = GetFirmware | NormalMode | Field | Tries | ListTargets | Exchange | Release


@dataclass(frozen=True, slots=True)
class Firmware:
    """ic: 32 in hexadecimal for a PN532. support: bits of ISO 14443 A, B and ISO 18092."""

    ic: int
    version: int
    revision: int
    support: int


@dataclass(frozen=True, slots=True)
class Exchanged:
    """error: 0: none; 01: the card is silent; 27: not now; others as in the chip's manual. more: data are to follow."""

    error: int
    data: bytes = b""
    more: bool = False


def ask(question: Question) -> bytes:
    """The command's code and parameters. Raises ValueError for what it cannot say."""
    match question:
        case GetFirmware():
            return b"\x02"
        case NormalMode():
            return b"\x14\x01"
        case Field(on):
            return bytes((0x32, 0x01, on))
        case Tries(again) if 0 <= again <= 0xFF:
            return bytes((0x32, 0x05, 0xFF, 0x01, again))  # the two before it are what the chip begins with
        case ListTargets(modulation, targets_max) if 1 <= targets_max <= TARGETS_MAX:
            return bytes((0x4A, targets_max, modulation.value)) + _FIRST_WORDS[modulation]
        case Exchange(target, data) if 1 <= target <= TARGETS_MAX and len(data) <= DATA_MAX:
            return bytes((0x40, target)) + data
        case Release(target) if 0 <= target <= TARGETS_MAX:
            return bytes((0x52, target))
        case _:
            raise ValueError(f"a PN532 has {TARGETS_MAX} targets and takes {DATA_MAX} bytes: {question}")


def parse(command: bytes) -> Question | None:
    """What the chip is asked. None: nothing of the above."""
    match tuple(command[:3]):
        case (0x02,):
            question: Question = GetFirmware()
        case (0x14, *_):
            question = NormalMode()
        case (0x32, 0x01, on):
            question = Field(bool(on & 1))
        case (0x32, 0x05, _) if len(command) == 5:
            question = Tries(command[4])
        case (0x4A, count, code) if code <= 3:
            question = ListTargets(Modulation(code), count)
        case (0x40, target, *_):
            question = Exchange(target, command[2:])
        case (0x52, target):
            question = Release(target)
        case _:
            return None
    try:
        return question if ask(question) == command else None
    except ValueError:
        return None


def firmware(said: bytes) -> Firmware | None:
    """From the response to GetFirmware. None: it is none."""
    return Firmware(*said) if len(said) == 4 else None


def done(said: bytes) -> bool:
    """Whether this is the response to NormalMode, Field or Tries."""
    return not said


def exchanged(said: bytes) -> Exchanged | None:
    """From the response to Exchange or Release. None: it is none."""
    return Exchanged(said[0] & 0x3F, said[1:], bool(said[0] & 0x40)) if said else None


def respond(question: Question, said: Firmware | tuple[Target, ...] | Exchanged | None = None) -> bytes:
    """The chip's response to a question: its code and one more, and what it says. None: nothing but the code."""
    body = b""
    match said:
        case Firmware(ic, version, revision, support):
            body = bytes((ic, version, revision, support))
        case Exchanged(error, data, more):
            body = bytes((error | more << 6,)) + data
        case tuple():
            body = targets_data(said)
    return bytes((ask(question)[0] + 1,)) + body
