"""DL/T 645-2007: what do the bytes behind a data identifier mean?

An identifier is four bytes DI3 DI2 DI1 DI0, here one number, 0x00010000; on the wire DI0 comes first. A value is BCD,
the lowest pair first; where it has a sign, that is the top bit of its last byte. Values are integers in the unit that
`Unit` names, exact: the unit of energy is 0.1 Wh, because DC meters in charging piles count it.

What a vendor adds has identifiers, lengths and decimals of its own. So every function that looks an identifier up also
takes the caller's items. (facts: chargers_meters 4.2.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Final


class Unit(Enum):
    """What one step of a value is."""

    ENERGY_DWH = "0.1 Wh"
    VOLTAGE_MV = "mV"
    CURRENT_MA = "mA"  # negative: it flows back to the grid
    POWER_DW = "0.1 W, 0.1 var or 0.1 VA"  # negative: it flows back to the grid
    FACTOR_PERMILLE = "1/1000"
    FREQUENCY_CHZ = "0.01 Hz"


@dataclass(frozen=True, slots=True)
class Item:
    """The form of one value. size: bytes. step: units per last digit."""

    unit: Unit
    size: int
    step: int = 1
    signed: bool = False

    def decode(self, data: bytes) -> int | None:
        """None: all bytes are FF, as for a phase that a meter has not; or the length is wrong; or some nibble is no
        digit."""
        if len(data) != self.size:
            return None
        top = data[-1]
        negative = self.signed and top >= 0x80
        text = (data[:-1][::-1].hex(), f"{top & 0x7F if self.signed else top:02x}")
        if data == b"\xff" * self.size or not (text[1] + text[0]).isdecimal():
            return None
        return int(text[1] + text[0]) * (-self.step if negative else self.step)

    def encode(self, value: int | None) -> bytes:
        """Raises ValueError for a value that has no place."""
        if value is None:
            return b"\xff" * self.size
        digits, rest = divmod(abs(value), self.step)
        text = f"{digits:0{2 * self.size}d}"
        if rest or len(text) > 2 * self.size or (value < 0 and not self.signed) or (self.signed and text[0] > "7"):
            raise ValueError(f"{value} x {self.unit.value} has no place in {self.size} bytes, steps of {self.step}")
        data = bytearray(bytes.fromhex(text)[::-1])
        data[-1] |= 0x80 if value < 0 else 0
        return bytes(data)


ENERGY: Final = Item(Unit.ENERGY_DWH, 4, step=100)  # eight digits, two of them decimals, kWh
COMBINED_ENERGY: Final = Item(Unit.ENERGY_DWH, 4, step=100, signed=True)
VOLTAGE: Final = Item(Unit.VOLTAGE_MV, 2, step=100)  # one decimal, V
CURRENT: Final = Item(Unit.CURRENT_MA, 3, signed=True)  # three decimals, A
POWER: Final = Item(Unit.POWER_DW, 3, signed=True)  # four decimals, kW
FACTOR: Final = Item(Unit.FACTOR_PERMILLE, 2, signed=True)  # three decimals
FREQUENCY: Final = Item(Unit.FREQUENCY_CHZ, 2)  # XX.XX Hz

FORWARD_TOTAL: Final = 0x00010000
FORWARD_BLOCK: Final = 0x0001FF00  # the total, then the tariffs: sharp, peak, flat, valley
REVERSE_TOTAL: Final = 0x00020000
VOLTAGE_A: Final = 0x02010100
VOLTAGE_B: Final = 0x02010200
VOLTAGE_C: Final = 0x02010300
CURRENT_A: Final = 0x02020100
POWER_TOTAL: Final = 0x02030000
FREQUENCY_NOW: Final = 0x02800002
DATE: Final = 0x04000101
CLOCK: Final = 0x04000102
ADDRESS: Final = 0x04000401
DAILY_FORWARD: Final = 0x05060101

BLOCK: Final = 0xFF
"""In place of DI1: all phases or tariffs, one behind the other."""

_KINDS: Final[Mapping[int, Item]] = {
    0x0000: COMBINED_ENERGY,
    0x0001: ENERGY,
    0x0002: ENERGY,
    0x0201: VOLTAGE,
    0x0202: CURRENT,
    0x0203: POWER,
    0x0204: POWER,
    0x0205: POWER,
    0x0206: FACTOR,
}
"""By DI3 and DI2, where DI1 is a phase or a tariff and DI0 is 0."""

_SINGLE: Final[Mapping[int, Item]] = {FREQUENCY_NOW: FREQUENCY, DAILY_FORWARD: ENERGY}

_NONE: Final[Mapping[int, Item]] = {}


def item_of(identifier: int, vendor: Mapping[int, Item] = _NONE) -> Item | None:
    """The form of the values behind `identifier`; the vendor's own come first. None: not known here."""
    if identifier in vendor:
        return vendor[identifier]
    if identifier & 0xFF == 0:
        return _KINDS.get(identifier >> 16)
    return _SINGLE.get(identifier)


def values(identifier: int, data: bytes, vendor: Mapping[int, Item] = _NONE) -> tuple[int | None, ...] | None:
    """The values in the data behind `identifier`: of a block as many as there are, else one.

    None: an identifier not known here, or the wrong count of bytes. A value is None as in `Item.decode`.
    """
    item = item_of(identifier, vendor)
    if item is None or not data or len(data) % item.size:
        return None
    if not _is_many(identifier) and len(data) != item.size:
        return None
    return tuple(item.decode(data[at : at + item.size]) for at in range(0, len(data), item.size))


def _is_many(identifier: int) -> bool:
    """Many meters freeze the tariffs behind the total too."""
    return identifier >> 8 & 0xFF == BLOCK or identifier == DAILY_FORWARD


def decode_date(data: bytes) -> date | None:
    """Of DATE: weekday, day, month, year. The weekday is left out: meters number it in two ways. None: no such day."""
    pairs = _pairs(data)
    return None if pairs is None or len(pairs) != 4 else _date(*pairs[1:])


def decode_clock(data: bytes) -> time | None:
    """Of CLOCK: second, minute, hour, as the meter's own clock has it. None: no such time."""
    pairs = _pairs(data)
    return None if pairs is None or len(pairs) != 3 else _time(*pairs)


def encode_moment(moment: datetime) -> bytes:
    """Second to year, for the broadcast. moment: in the zone of the meters' clocks, 2000 to 2099; fractions are cut."""
    if not 2000 <= moment.year <= 2099:
        raise ValueError(f"a meter's clock knows the years 2000 to 2099, not {moment.year}")
    return bytes.fromhex(f"{moment:%S%M%H%d%m}{moment.year % 100:02}")


def decode_moment(data: bytes) -> datetime | None:
    """Second to year, of the broadcast. None: no such moment."""
    pairs = _pairs(data)
    if pairs is None or len(pairs) != 6:
        return None
    day, clock = _date(*pairs[3:]), _time(*pairs[:3])
    return None if day is None or clock is None else datetime.combine(day, clock)


def _pairs(data: bytes) -> list[int] | None:
    text = data.hex()
    return [int(text[at : at + 2]) for at in range(0, len(text), 2)] if text.isdecimal() else None


def _date(day: int, month: int, year: int) -> date | None:
    try:
        return date(2000 + year, month, day)
    except ValueError:
        return None


def _time(second: int, minute: int, hour: int) -> time | None:
    return time(hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None
