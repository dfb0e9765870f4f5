"""What card number is in the pulses of a Wiegand reader? Both roles. 26 and 34 bits.

    26   P  facility(8)   number(16)  P        first parity: even, over the first half of the data
    34   P  facility(16)  number(16)  P        last parity: odd, over the second half

The reader pulls D0 low for a 0 and D1 for a 1, 20 to 200 us long and 1 to 20 ms apart; a pause ends the value. Two
parities are all that guards it: of pure noise of that length one value in four passes.
Which octets of a longer card number a reader puts here, and in what order, is its own habit: `card_number.Form`.
(facts: cabinets 8; 34 bits: readers' manuals.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

SILENCE_S: Final = 0.05  # more than twice the longest distance of two pulses
BITS_MAX: Final = 64  # more are counted no further; there is no such value

_OCTETS: Final = {26: 3, 34: 4}


class Fault(Enum):
    """Why pulses are no number."""

    LENGTH = "length"  # neither 26 nor 34: other cards, a keypad, or noise
    PARITY = "parity"
    SWAPPED = "swapped"  # both parities are wrong, as when D0 and D1 are swapped


@dataclass(frozen=True, slots=True)
class Wiegand:
    """octets: the data as they stand on the line, highest first: 3 of 26 bits, 4 of 34."""

    octets: bytes

    @property
    def facility(self) -> int:
        """0..=255, or 65535 of 34 bits."""
        return int.from_bytes(self.octets[:-2], "big")

    @property
    def number(self) -> int:
        """0..=65535."""
        return int.from_bytes(self.octets[-2:], "big")


def encode(octets: bytes) -> str:
    """The bits that a reader sends, in their order. Raises ValueError for other than 3 or 4 octets."""
    if len(octets) not in _OCTETS.values():
        raise ValueError(f"a Wiegand value has 3 or 4 octets, not {len(octets)}")
    data = "".join(f"{octet:08b}" for octet in octets)
    half = len(data) // 2
    return f"{data[:half].count('1') % 2}{data}{1 - data[half:].count('1') % 2}"


def decode(bits: str) -> Wiegand | Fault:
    """The value of `bits`, a text of 0 and 1 as a converter or `WiegandEar` gives it."""
    if len(bits) not in _OCTETS or set(bits) - {"0", "1"}:
        return Fault.LENGTH
    half = len(bits) // 2
    wrong = (bits[:half].count("1") % 2 == 1) + (bits[half:].count("1") % 2 == 0)
    if wrong:
        return Fault.SWAPPED if wrong == 2 else Fault.PARITY
    return Wiegand(int(bits[1:-1], 2).to_bytes(_OCTETS[len(bits)], "big"))


class WiegandEar:
    """Gathers pulses until silence ends a value."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def pulse(self, bit: bool) -> None:
        """A pulse on D0 (False) or D1 (True)."""
        if len(self._bits) <= BITS_MAX:
            self._bits.append("1" if bit else "0")

    def silence(self) -> Wiegand | Fault | None:
        """No pulse for SILENCE_S. None: there was none before it either."""
        bits, self._bits = "".join(self._bits), []
        return decode(bits) if bits else None
