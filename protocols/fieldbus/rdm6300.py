"""What does an RDM6300 (125 kHz, EM4100 tags) say of a tag? Both roles. 9600 8N1, the gateway only listens.

    02  version(2 digits)  number(8 digits)  xor(2 digits)  03

The digits are hexadecimal in ASCII; xor is over the five octets before it. It is said again and again while the tag is
held there: who takes it for a tap tells the repeats apart. The ID-12 family says the same with CR LF before 03.
(facts: cabinets 8.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from protocols.fieldbus.card_number import CardNumber
from protocols.fieldbus.expect import CRC
from protocols.fieldbus.hunt import Bad, Ear, Sound

STX: Final = 0x02
FRAME_MAX: Final = 16

_FRAME: Final = re.compile(rb"\x02([0-9A-Fa-f]{10})([0-9A-Fa-f]{2})(?:\r\n)?\x03")
_BEGUN: Final = re.compile(rb"\x02[0-9A-Fa-f]{0,12}\Z|\x02[0-9A-Fa-f]{12}\r\n?\Z")


@dataclass(frozen=True, slots=True)
class Tag:
    """version: the first octet, the maker's or a customer's code. number: the 32 bits that are printed on the tag."""

    version: int
    number: int

    @property
    def card(self) -> CardNumber:
        """All five octets."""
        return CardNumber(bytes((self.version,)) + self.number.to_bytes(4, "big"))


def encode(tag: Tag, *, id12: bool = False) -> bytes:
    """What the reader says. id12: with CR LF, as that family does."""
    octets = tag.card.octets
    digits = (octets + bytes((reduce(xor, octets),))).hex().upper().encode()
    return b"\x02" + digits + (b"\r\n" if id12 else b"") + b"\x03"


def ear() -> Ear[Tag, Tag]:
    """The gateway's ear: the tags that are held to the reader, repeats and all."""
    return Ear(cut, lambda tag: tag)


def cut(buffer: bytearray) -> Sound[Tag] | Bad | None:
    """A `hunt.Cut`."""
    if buffer[0] != STX:
        return Bad(_next_start(buffer))
    found = _FRAME.match(buffer)
    if found is None:
        return None if len(buffer) < FRAME_MAX and _BEGUN.match(buffer) else Bad(_next_start(buffer))
    octets, check = bytes.fromhex(found[1].decode()), int(found[2], 16)
    if reduce(xor, octets) != check:
        return Bad(found.end(), CRC)
    return Sound(found[0], Tag(octets[0], int.from_bytes(octets[1:], "big")))


def _next_start(buffer: bytearray) -> int:
    again = buffer.find(STX, 1)
    return again if again > 0 else len(buffer)
