"""What do the items of a JK pack's GPS port say?

A body is items, each a number and a count of bytes that only a table knows; so an unknown number ends what can be read.
`reading_of` is the gateway's side, `items_of` the pack's. (facts: cabinets 1.5.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.fieldbus.pack import Alarm, PackReading, alarms, padded, text


class Item(IntEnum):
    """The items with a known meaning."""

    CELLS = 0x79  # count of bytes, then number and mV of each
    MOS_TEMP = 0x80
    BOX_TEMP = 0x81
    BATTERY_TEMP = 0x82
    VOLTAGE = 0x83  # 10 mV
    CURRENT = 0x84  # see `_current_ma`
    SOC = 0x85
    SENSORS = 0x86
    CYCLES = 0x87
    CYCLED_AH = 0x89
    STRINGS = 0x8A
    ALARMS = 0x8B
    STATUS = 0x8C  # 0 charge switch, 1 discharge switch, 2 balancing, 3 "normal", which a working pack may leave 0
    CAPACITY = 0xAA  # Ah, as set
    CHARGE_SWITCH = 0xAB  # 1 on
    DISCHARGE_SWITCH = 0xAC
    DEVICE_ID = 0xB4
    MADE = 0xB5  # YYMM
    SOFTWARE = 0xB7
    TRUE_CAPACITY = 0xB9  # Ah, as measured; 0 is not yet
    CODE = 0xBA  # of a swap battery, see `pack_code`; meant for swap cabinets, which must have it
    VERSION = 0xC0  # of the protocol; says how CURRENT reads


_ONE: Final = (0x85, 0x86, 0x9D, 0xA9, 0xAB, 0xAC, 0xAE, 0xAF, 0xB1, 0xB3, 0xB8, 0xC0)
_OTHERS: Final = {0x89: 4, 0xAA: 4, 0xB2: 10, 0xB4: 8, 0xB5: 4, 0xB6: 4, 0xB7: 15, 0xB9: 4, 0xBA: 24}
_TWO: Final = (*range(0x80, 0x85), 0x87, 0x8A, 0x8B, 0x8C, *range(0x8E, 0x9D), *range(0x9E, 0xA9), 0xAD, 0xB0)

SIZES: Final[Mapping[int, int]] = {**dict.fromkeys(_ONE, 1), **dict.fromkeys(_TWO, 2), **_OTHERS}
"""Bytes of every item but CELLS, which says it itself."""

WARNINGS: Final[Mapping[int, Alarm]] = {0: Alarm.SOC_LOW}
PROTECTIONS: Final[Mapping[int, Alarm]] = {
    1: Alarm.MOS_HOT, 2: Alarm.PACK_HIGH, 3: Alarm.PACK_LOW, 4: Alarm.BATTERY_HOT, 5: Alarm.CHARGE_CURRENT,
    6: Alarm.DISCHARGE_CURRENT, 7: Alarm.CELLS_APART, 8: Alarm.CASE_HOT, 9: Alarm.BATTERY_COLD, 10: Alarm.CELL_HIGH,
    11: Alarm.CELL_LOW,
}  # fmt: skip

_COLDEST: Final = -100  # C; a sensor that says less is none
_CURRENT_ZERO: Final = 10_000
_CODE_SIZE: Final = 24


@dataclass(frozen=True, slots=True)
class Items:
    """rest: from the first number on that is in no table, or an item cut short."""

    by_number: Mapping[int, bytes]
    rest: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> Items:
        found: dict[int, bytes] = {}
        at = 0
        while at < len(body):
            number, start = body[at], at + 1
            size = SIZES.get(number)
            if number == Item.CELLS and start < len(body):
                start, size = start + 1, body[start]
            if size is None or start + size > len(body):
                return cls(found, body[at:])
            found[number] = body[start : start + size]
            at = start + size
        return cls(found)

    def encode(self) -> bytes:
        parts = (
            bytes((number, len(data)) if number == Item.CELLS else (number,)) + data
            for number, data in self.by_number.items()
        )
        return b"".join(parts) + self.rest

    def number(self, item: Item) -> int | None:
        """An item as an unsigned number."""
        data = self.by_number.get(item)
        return None if data is None else int.from_bytes(data, "big")


def reading_of(body: bytes, version: int | None = None) -> PackReading:
    """What an answer says of the pack. version: VERSION as read before, for an answer that does not say it."""
    items = Items.decode(body)
    said = items.number(Item.VERSION)
    current, voltage, soc = items.number(Item.CURRENT), items.number(Item.VOLTAGE), items.number(Item.SOC)
    bits, status = items.number(Item.ALARMS), items.number(Item.STATUS)
    warned = sum(1 << bit for bit in WARNINGS)
    battery = _temp_dc(items.number(Item.BATTERY_TEMP))
    return PackReading(
        serial=text(items.by_number.get(Item.CODE, b"")),
        software=text(items.by_number.get(Item.SOFTWARE, b"")),
        voltage_mv=None if voltage is None else 10 * voltage,
        current_ma=None if current is None else _current_ma(current, version if said is None else said),
        soc_permille=None if soc is None else 10 * soc,
        full_mah=_capacity_mah(items.number(Item.TRUE_CAPACITY)),
        design_mah=_capacity_mah(items.number(Item.CAPACITY)),
        cycles=items.number(Item.CYCLES),
        cells_mv=_cells_mv(items.by_number.get(Item.CELLS)),
        temps_dc=None if battery is None else (battery,),
        mos_temp_dc=_temp_dc(items.number(Item.MOS_TEMP)),
        case_temp_dc=_temp_dc(items.number(Item.BOX_TEMP)),
        charge_on=None if status is None else bool(status & 1),
        discharge_on=None if status is None else bool(status & 2),
        warnings=None if bits is None else alarms(bits & warned, WARNINGS),
        protections=None if bits is None else alarms(bits, PROTECTIONS, ignored=warned),
    )


def items_of(pack: PackReading) -> Items:
    """Everything that a pack knows of itself, in protocol version 1. Alarms without a bit here are left out."""
    alarmed = (pack.warnings or frozenset()) | (pack.protections or frozenset())
    bits = sum(1 << bit for bit, alarm in {**WARNINGS, **PROTECTIONS}.items() if alarm in alarmed)
    switches = (pack.charge_on or False) | (pack.discharge_on or False) << 1
    cells = enumerate(pack.cells_mv or (), 1)
    known: dict[Item, bytes | None] = {
        Item.CELLS: b"".join(bytes((n, *mv.to_bytes(2, "big"))) for n, mv in cells) or None,
        Item.MOS_TEMP: _temp_back(pack.mos_temp_dc),
        Item.BOX_TEMP: _temp_back(pack.case_temp_dc),
        Item.BATTERY_TEMP: _temp_back(pack.hottest_dc),
        Item.VOLTAGE: _bytes(pack.voltage_mv, 10, 2),
        Item.CURRENT: None if pack.current_ma is None else _current_back(pack.current_ma),
        Item.SOC: _bytes(pack.soc_permille, 10, 1),
        Item.CYCLES: _bytes(pack.cycles, 1, 2),
        Item.ALARMS: None if pack.protections is None else bits.to_bytes(2, "big"),
        Item.STATUS: None if pack.charge_on is None else switches.to_bytes(2, "big"),
        Item.CAPACITY: _bytes(pack.design_mah, 1000, 4),
        Item.SOFTWARE: None if pack.software is None else padded(pack.software, SIZES[Item.SOFTWARE]),
        Item.TRUE_CAPACITY: _bytes(pack.full_mah, 1000, 4),
        Item.CODE: None if pack.serial is None else padded(pack.serial, _CODE_SIZE),
        Item.VERSION: b"\x01",
    }
    return Items({item: data for item, data in known.items() if data is not None})


def _current_ma(raw: int, version: int | None) -> int | None:
    """Positive charges. Version 0 counts down from 10000, version 1 has a sign bit that is set while charging."""
    if version == 0:
        return 10 * (_CURRENT_ZERO - raw)
    if version == 1:
        size = 10 * (raw & 0x7FFF)
        return size if raw & 0x8000 else -size
    return None


def _current_back(current_ma: int) -> bytes:
    return (abs(current_ma) // 10 | (0x8000 if current_ma > 0 else 0)).to_bytes(2, "big")


def _temp_dc(raw: int | None) -> int | None:
    """Up to 100 as it is; above, how much more is how far below zero."""
    if raw is None:
        return None
    degrees = raw if raw <= 100 else 100 - raw
    return 10 * degrees if degrees >= _COLDEST else None


def _temp_back(temp_dc: int | None) -> bytes | None:
    if temp_dc is None:
        return None
    degrees = temp_dc // 10
    return (degrees if degrees >= 0 else 100 - degrees).to_bytes(2, "big")


def _capacity_mah(amp_hours: int | None) -> int | None:
    return 1000 * amp_hours if amp_hours else None


def _cells_mv(data: bytes | None) -> tuple[int, ...] | None:
    """By their numbers, which are not asked to be in order."""
    if data is None or len(data) % 3:
        return None
    numbered = sorted((data[at], int.from_bytes(data[at + 1 : at + 3], "big")) for at in range(0, len(data), 3))
    return tuple(mv for _, mv in numbered)


def _bytes(value: int | None, scale: int, size: int) -> bytes | None:
    return None if value is None else (value // scale).to_bytes(size, "big")
