"""How does one card give one credential, whatever reader prints its number?

A card has a number of 4, 5, 7, 8 or 10 octets. Readers say all of them or a few, as hexadecimal or decimal digits, the
first octet highest or lowest. What they said is read by the reader's `Form` (configuration: two forms may print the
same digits for different cards), and told by the fleet's `Kept` as the text that is a customer's credential: upper-case
hexadecimal digits in the order in which the card sends its octets.

    EM4100 01 00 07 34 E0   01000734E0 (RDM6300)   0000472288   007,13536 (also in Wiegand-26)
    UID    DE AD BE EF      DEADBEEF   EFBEADDE    3735928559   4022250974

A number is an identification and no proof: every one of these can be copied. (facts: cabinets 8.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

OCTETS_MAX: Final = 10  # the longest ISO 14443 A number


class Radix(Enum):
    """How a number is printed."""

    HEX = "hex"  # two digits an octet, both cases are read
    DECIMAL = "decimal"  # padded with zeros to the digits that the octets may need
    FACILITY = "facility"  # the two low octets apart, as access control prints it: 007,13536 or 00713536


class Order(Enum):
    """Which octet is printed first, and so is the highest of the number."""

    FIRST_HIGH = "first-high"  # as the card sends them: RDM6300, PC/SC, PN532, most decimal readers
    FIRST_LOW = "first-low"  # a little-endian host's idea of the same octets


class Part(Enum):
    """Which octets of the card's number are said, in the order in which the card sends them."""

    WHOLE = "whole"
    FIRST = "first"
    LAST = "last"  # what readers of EM4100 leave out is its first octet


@dataclass(frozen=True, slots=True)
class CardNumber:
    """octets: what is known of a card's number, in the order in which the card sends them."""

    octets: bytes
    part: Part = Part.WHOLE


@dataclass(frozen=True, slots=True)
class Form:
    """How one reader says numbers. octets: how many of them; None: as many as it prints, for HEX alone."""

    radix: Radix = Radix.HEX
    order: Order = Order.FIRST_HIGH
    octets: int | None = None
    part: Part = Part.WHOLE

    def __post_init__(self) -> None:
        least = {Radix.HEX: 2, Radix.DECIMAL: 2, Radix.FACILITY: 3}[self.radix]
        if self.octets is None and self.radix is not Radix.HEX:
            raise ValueError(f"a {self.radix.value} form needs its count of octets")
        if self.octets is not None and not least <= self.octets <= OCTETS_MAX:
            raise ValueError(f"a {self.radix.value} form has {least}..={OCTETS_MAX} octets, not {self.octets}")


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of a number the fleet's credentials keep: as much as its poorest reader says.

    With 3 of 5 octets one card in 16 million is taken for another; with all of them none. part: FIRST or LAST.
    """

    octets: int
    part: Part = Part.LAST

    def __post_init__(self) -> None:
        if not 3 <= self.octets <= OCTETS_MAX or self.part is Part.WHOLE:
            raise ValueError(f"the first or last 3..={OCTETS_MAX} octets are kept, not {self.octets} {self.part.value}")


EM4100_DECIMAL: Final = Form(Radix.DECIMAL, octets=4, part=Part.LAST)
EM4100_FACILITY: Final = Form(Radix.FACILITY, octets=3, part=Part.LAST)


def read(text: str, form: Form) -> CardNumber | None:
    """The number that a reader of `form` has printed. None: no such number."""
    text = text.strip()
    match form.radix:
        case Radix.HEX:
            octets = _from_hex(text)
        case Radix.DECIMAL:
            octets = _from_digits(text, form.octets or 0)
        case Radix.FACILITY:
            octets = _from_facility(text, form.octets or 0)
    if octets is None or form.octets not in (None, len(octets)):
        return None
    return from_said(octets, form.order, form.part)


def from_said(octets: bytes, order: Order = Order.FIRST_HIGH, part: Part = Part.WHOLE) -> CardNumber:
    """A number that came as octets, as from a Wiegand line."""
    return CardNumber(octets if order is Order.FIRST_HIGH else octets[::-1], part)


def say(number: CardNumber, form: Form) -> str:
    """What a reader of `form` prints. Raises ValueError when less is known of the card than it says."""
    octets = _cut(number, form.octets or len(number.octets), form.part)
    if octets is None:
        raise ValueError(f"{form} says more than is known: {number}")
    if form.order is Order.FIRST_LOW:
        octets = octets[::-1]
    match form.radix:
        case Radix.HEX:
            return octets.hex().upper()
        case Radix.DECIMAL:
            return str(int.from_bytes(octets, "big")).zfill(_digits(len(octets)))
        case Radix.FACILITY:
            facility, low = int.from_bytes(octets[:-2], "big"), int.from_bytes(octets[-2:], "big")
            return f"{facility:0{_digits(len(octets) - 2)}},{low:05}"


def credential(number: CardNumber, kept: Kept | None = None) -> str | None:
    """The text that stands for the card, to be hidden by `grants.hide_credential`.

    kept: None: the whole number. None is given when this reader does not say as much as is kept: the reader's form or
    the fleet's rule is wrong, and a shorter text would be another customer's.
    """
    if kept is None:
        return number.octets.hex().upper() if number.part is Part.WHOLE else None
    octets = _cut(number, kept.octets, kept.part)
    return None if octets is None else octets.hex().upper()


def made_up(uid: bytes) -> bool:
    """Whether the number of an ISO 14443 A card is another one at each tap, as phones do: it is nobody's credential."""
    return len(uid) == 4 and uid[0] == 0x08


def _cut(number: CardNumber, count: int, part: Part) -> bytes | None:
    """`count` octets of the card's number from its beginning or end. None: they are not known."""
    if number.part not in (Part.WHOLE, part) or len(number.octets) < count:
        return None
    if part is Part.WHOLE:
        return number.octets if len(number.octets) == count else None
    return number.octets[:count] if part is Part.FIRST else number.octets[-count:]


def _from_hex(text: str) -> bytes | None:
    if len(text) % 2 or not re.fullmatch(rf"[0-9A-Fa-f]{{4,{2 * OCTETS_MAX}}}", text):
        return None
    return bytes.fromhex(text)


def _from_digits(text: str, octets: int) -> bytes | None:
    """Leading zeros may be missing, as some readers leave them out."""
    if not re.fullmatch(rf"[0-9]{{1,{_digits(octets)}}}", text):
        return None
    value = int(text)
    return value.to_bytes(octets, "big") if value < 1 << 8 * octets else None


def _from_facility(text: str, octets: int) -> bytes | None:
    found = re.fullmatch(rf"([0-9]{{{_digits(octets - 2)}}}),?([0-9]{{5}})", text)
    if found is None:
        return None
    facility, low = int(found[1]), int(found[2])
    if low > 0xFFFF or facility >= 1 << 8 * (octets - 2):
        return None
    return facility.to_bytes(octets - 2, "big") + low.to_bytes(2, "big")


def _digits(octets: int) -> int:
    """Decimal digits of the greatest number of so many octets: 10 for 4."""
    return len(str((1 << 8 * octets) - 1))
