"""What do the registers of a JBD (Xiaoxiang) pack say?

`reading_of` is what a gateway wants of any register, `data_of` what the pack gives. Currents and capacities are read in
tens of mA and mAh; boards after V9 can be set to another unit, by a parameter that no public source lays out.
(facts: cabinets 1.3; registers with texts come from one source.)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final

from protocols.fieldbus.pack import Alarm, PackReading, alarms, day, saying, text

KELVIN_DC: Final = 2731  # 0 C in tenths of a kelvin
_HEAD: Final = struct.Struct(">HhHHHHHHHBBBBB")
_TAIL: Final = struct.Struct(">BHHHH")
_COUNTERS: Final = struct.Struct(">12H")
_SCALE: Final = 10  # mV, mA and mAh in one unit of the wire


class Register(IntEnum):
    """The ones with a known meaning."""

    FACTORY_ENTER = 0x00  # write 56 78
    FACTORY_LEAVE = 0x01  # write 28 28 to save, 00 00 not to
    BASIC = 0x03
    CELLS = 0x04  # mV each
    HARDWARE = 0x05  # text
    SERIAL = 0x16
    MAKER = 0xA0
    MODEL = 0xA1
    BARCODE = 0xA2  # where a swap battery has its code
    COUNTERS = 0xAA
    MOS = 0xE1
    MOS_V13 = 0xFB  # instead of MOS in boards after V13; what its two bytes mean is not public


PROTECTIONS: Final[Mapping[int, Alarm]] = {
    0: Alarm.CELL_HIGH, 1: Alarm.CELL_LOW, 2: Alarm.PACK_HIGH, 3: Alarm.PACK_LOW, 4: Alarm.CHARGE_HOT,
    5: Alarm.CHARGE_COLD, 6: Alarm.DISCHARGE_HOT, 7: Alarm.DISCHARGE_COLD, 8: Alarm.CHARGE_CURRENT,
    9: Alarm.DISCHARGE_CURRENT, 10: Alarm.SHORT, 11: Alarm.BOARD_FAULT, 12: Alarm.LOCKED, 13: Alarm.CHARGE_LONG,
}  # fmt: skip

COUNTED: Final = (
    Alarm.SHORT, Alarm.CHARGE_CURRENT, Alarm.DISCHARGE_CURRENT, Alarm.CELL_HIGH, Alarm.CELL_LOW, Alarm.CHARGE_HOT,
    Alarm.CHARGE_COLD, Alarm.DISCHARGE_HOT, Alarm.DISCHARGE_COLD, Alarm.PACK_HIGH, Alarm.PACK_LOW,
)  # fmt: skip
"""What `Counters` counts, in its order."""

_TEXTS: Final[Mapping[int, str]] = {
    Register.HARDWARE: "hardware",
    Register.SERIAL: "serial",
    Register.MAKER: "maker",
    Register.MODEL: "model",
    Register.BARCODE: "serial",
}


@dataclass(frozen=True, slots=True)
class Basic:
    """BASIC, as it stands on the wire but for the units.

    current_ma: positive charges. date_bits: year - 2000 in bits 15-9, month 8-5, day 4-0. balancing: a bit for each of
    32 cells. protection: see `PROTECTIONS`. version: high nibble before the point. fet: bit 0 charge, 1 discharge, set
    is on. tail: what newer boards append, see `full_mah`.
    """

    voltage_mv: int
    current_ma: int
    remaining_mah: int
    nominal_mah: int
    cycles: int
    date_bits: int
    balancing: int
    protection: int
    version: int
    soc_pct: int
    fet: int
    cells: int
    temps_dc: tuple[int, ...]
    tail: bytes = b""

    @property
    def made_on(self) -> date | None:
        return day(2000 + (self.date_bits >> 9), self.date_bits >> 5 & 15, self.date_bits & 31)

    @property
    def full_mah(self) -> int | None:
        """What it holds today when full; boards after V13 alone say it. None for a board that has not measured it."""
        if len(self.tail) < _TAIL.size:
            return None
        _humidity, _alarm, full, _remaining, _balance_ma = _TAIL.unpack_from(self.tail)
        return _SCALE * full or None

    @classmethod
    def decode(cls, data: bytes) -> Basic | None:
        if len(data) < _HEAD.size:
            return None
        mv, ma, remaining, nominal, cycles, made, low, high, *rest = _HEAD.unpack_from(data)
        protection, version, soc, fet, cells, sensors = rest
        tail = data[_HEAD.size + 2 * sensors :]
        if len(data) < _HEAD.size + 2 * sensors:
            return None
        temps = struct.unpack_from(f">{sensors}H", data, _HEAD.size)
        return cls(
            _SCALE * mv, _SCALE * ma, _SCALE * remaining, _SCALE * nominal, cycles, made, high << 16 | low, protection,
            version, soc, fet, cells, tuple(raw - KELVIN_DC for raw in temps), tail,
        )  # fmt: skip

    def encode(self) -> bytes:
        head = _HEAD.pack(
            self.voltage_mv // _SCALE, self.current_ma // _SCALE, self.remaining_mah // _SCALE,
            self.nominal_mah // _SCALE, self.cycles, self.date_bits, self.balancing & 0xFFFF, self.balancing >> 16,
            self.protection, self.version, self.soc_pct, self.fet, self.cells, len(self.temps_dc),
        )  # fmt: skip
        return head + struct.pack(f">{len(self.temps_dc)}H", *(dc + KELVIN_DC for dc in self.temps_dc)) + self.tail

    def reading(self) -> PackReading:
        return PackReading(
            made_on=self.made_on,
            software=f"{self.version >> 4}.{self.version & 15}",
            voltage_mv=self.voltage_mv,
            current_ma=self.current_ma,
            soc_permille=10 * self.soc_pct,
            remaining_mah=self.remaining_mah,
            full_mah=self.full_mah,
            design_mah=self.nominal_mah or None,
            cycles=self.cycles,
            temps_dc=self.temps_dc,
            charge_on=bool(self.fet & 1),
            discharge_on=bool(self.fet & 2),
            protections=alarms(self.protection, PROTECTIONS),
        )


@dataclass(frozen=True, slots=True)
class Counters:
    """COUNTERS: how often it protected itself, in the order of `COUNTED`, and how often it began anew."""

    times: tuple[int, ...]
    restarts: int

    @classmethod
    def decode(cls, data: bytes) -> Counters | None:
        if len(data) != _COUNTERS.size:
            return None
        *times, restarts = _COUNTERS.unpack(data)
        return cls(tuple(times), restarts)

    def encode(self) -> bytes:
        return _COUNTERS.pack(*self.times, self.restarts)


def reading_of(register: int, data: bytes) -> PackReading | None:
    """What the answer to a read says of the pack. None: nothing, or not in this form."""
    if register == Register.BASIC:
        basic = Basic.decode(data)
        return None if basic is None else basic.reading()
    if register == Register.CELLS:
        cells = decode_cells(data)
        return None if cells is None else PackReading(cells_mv=cells)
    name = _TEXTS.get(register)
    found = None if name is None else decode_text(data)
    return None if name is None or found is None else saying(name, found)


def data_of(register: int, pack: PackReading) -> bytes | None:
    """What a pack answers to a read. In BASIC what it does not know is 0. None: it has no such register."""
    if register == Register.BASIC:
        return basic_of(pack).encode()
    if register == Register.CELLS:
        return None if pack.cells_mv is None else encode_cells(pack.cells_mv)
    name = _TEXTS.get(register)
    value = None if name is None else getattr(pack, name)
    return None if value is None else encode_text(value, prefixed=False)


def basic_of(pack: PackReading) -> Basic:
    """BASIC of a pack, with the tail of the newer boards when it knows what it holds today."""
    made, bits = pack.made_on, {alarm: 1 << bit for bit, alarm in PROTECTIONS.items()}
    full = (pack.full_mah or 0) // _SCALE
    return Basic(
        voltage_mv=pack.voltage_mv or 0,
        current_ma=pack.current_ma or 0,
        remaining_mah=pack.remaining_mah or 0,
        nominal_mah=pack.design_mah or 0,
        cycles=pack.cycles or 0,
        date_bits=0 if made is None else made.year - 2000 << 9 | made.month << 5 | made.day,
        balancing=0,
        protection=sum(bits.get(alarm, 0) for alarm in pack.protections or ()),
        version=0x10,
        soc_pct=(pack.charge_permille or 0) // 10,
        fet=bool(pack.charge_on) | bool(pack.discharge_on) << 1,
        cells=len(pack.cells_mv or ()),
        temps_dc=pack.temps_dc or (),
        tail=_TAIL.pack(0, 0, full, (pack.remaining_mah or 0) // _SCALE, 0) if full else b"",
    )


def decode_cells(data: bytes) -> tuple[int, ...] | None:
    """CELLS in mV."""
    return None if len(data) % 2 else struct.unpack(f">{len(data) // 2}H", data)


def encode_cells(cells_mv: tuple[int, ...]) -> bytes:
    return struct.pack(f">{len(cells_mv)}H", *cells_mv)


def decode_text(data: bytes) -> str | None:
    """A text, with its length before it or without: sources differ. A length is below 20h and so is no character."""
    if data and data[0] < 0x20 and data[0] <= len(data) - 1:
        data = data[1 : 1 + data[0]]
    return text(data)


def encode_text(value: str, *, prefixed: bool) -> bytes:
    """Raises ValueError when it is not ASCII, or too long for a length before it."""
    data = value.encode("ascii")
    if prefixed and len(data) >= 0x20:
        raise ValueError(f"{value!r} is too long for a length before it")
    return bytes((len(data),)) + data if prefixed else data


def mos_off(*, charge: bool, discharge: bool) -> bytes:
    """What MOS is written with. A set bit is OFF: True cuts that way off, False lets it be."""
    return bytes((0, charge | discharge << 1))


def is_mos_off(data: bytes) -> tuple[bool, bool] | None:
    """Charge and discharge, as `mos_off` was told."""
    return (bool(data[1] & 1), bool(data[1] & 2)) if len(data) == 2 and data[0] == 0 else None
