"""What do the fields of a Greenway (Surron) pack say?

A field is a number and a count of bytes, little-endian. `reading_of` is the gateway's side, `data_of` the pack's; the
fields that they do not know stay bytes. (facts: cabinets 1.4; two sources agree.)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.fieldbus.pack import Alarm, PackReading, day, padded, saying, text


class Field(IntEnum):
    """`SIZES` says how many bytes each has."""

    TEMPERATURES = 0x08  # C, signed: cells 0-2; of 3-6 the sources guess 4 discharge switch, 5 charge switch
    VOLTAGE = 0x09
    CURRENT = 0x0A
    SOC = 0x0D
    SOH = 0x0E
    REMAINING = 0x0F
    FULL = 0x10
    CHARGED = 0x15  # full, charged in all its life, charged in this cycle: mAh each
    STATUS = 0x16  # 2-5 error flags, 6-9 warning flags; what they mean is not public
    CYCLES = 0x17
    DESIGN = 0x18
    DESIGN_VOLTAGE = 0x19
    VERSIONS = 0x1A
    MADE_ON = 0x1B
    CLOCK = 0x1D
    MAKER = 0x20
    MODEL = 0x21
    CELL_TYPE = 0x22
    SERIAL = 0x23
    CELLS = 0x24  # mV, the first sixteen
    CELLS_17 = 0x25  # from the seventeenth on
    EXTREMES = 0x26


SIZES: Final[Mapping[Field, int]] = {
    Field.TEMPERATURES: 8, Field.VOLTAGE: 4, Field.CURRENT: 4, Field.SOC: 1, Field.SOH: 1, Field.REMAINING: 4,
    Field.FULL: 4, Field.CHARGED: 12, Field.STATUS: 10, Field.CYCLES: 4, Field.DESIGN: 4, Field.DESIGN_VOLTAGE: 4,
    Field.VERSIONS: 8, Field.MADE_ON: 3, Field.CLOCK: 6, Field.MAKER: 16, Field.MODEL: 32, Field.CELL_TYPE: 16,
    Field.SERIAL: 32, Field.CELLS: 32, Field.CELLS_17: 32, Field.EXTREMES: 14,
}  # fmt: skip

_EXTREMES: Final = struct.Struct("<iiHHbb")
_BROADCAST: Final = 0x48  # the field of what the vehicle says
_CELLS_A_FIELD: Final = 16


@dataclass(frozen=True, slots=True)
class Extremes:
    """EXTREMES: the greatest and least of its life, not of now. Currents are signed as in `PackReading`."""

    discharge_ma_max: int
    charge_ma_max: int
    cell_mv_max: int
    cell_mv_min: int
    temp_dc_max: int
    temp_dc_min: int

    @classmethod
    def decode(cls, data: bytes) -> Extremes | None:
        if len(data) != _EXTREMES.size:
            return None
        discharge, charge, most, least, hottest, coldest = _EXTREMES.unpack(data)
        return cls(discharge, charge, most, least, 10 * hottest, 10 * coldest)

    def encode(self) -> bytes:
        currents = self.discharge_ma_max, self.charge_ma_max
        temps = self.temp_dc_max // 10, self.temp_dc_min // 10
        return _EXTREMES.pack(*currents, self.cell_mv_max, self.cell_mv_min, *temps)


@dataclass(frozen=True, slots=True)
class _Codec:
    """encode: None when the reading does not say it."""

    decode: Callable[[bytes], PackReading]
    encode: Callable[[PackReading], bytes | None]


def reading_of(field: int, data: bytes) -> PackReading | None:
    """What an answer says of the pack. None: a field that says nothing of it by itself, or the wrong count of bytes."""
    codec = _CODECS.get(field)
    return codec.decode(data) if codec is not None and len(data) == SIZES[Field(field)] else None


def data_of(field: int, pack: PackReading) -> bytes | None:
    """The same from the pack's side. None: it does not know, and stays silent."""
    codec = _CODECS.get(field)
    return None if codec is None else codec.encode(pack)


def cells_of(*fields: bytes) -> tuple[int, ...] | None:
    """Cell voltages in mV from CELLS, or CELLS and CELLS_17. Places without a cell are 0 and are left out."""
    if not fields or any(len(data) != SIZES[Field.CELLS] for data in fields):
        return None
    return tuple(mv for data in fields for (mv,) in struct.iter_unpack("<H", data) if mv)


def broadcast_of(field: int, data: bytes) -> PackReading | None:
    """What the vehicle tells of its pack: charge and voltage stand first, the rest is not public."""
    if field != _BROADCAST or len(data) < 5:
        return None
    return PackReading(soc_permille=10 * data[0], voltage_mv=int.from_bytes(data[1:5], "little"))


def _number(name: str, code: str, scale: int = 1) -> _Codec:
    """A field of one number. scale: units of the reading in one of the field."""

    def encode(pack: PackReading) -> bytes | None:
        value = getattr(pack, name)
        return None if value is None else struct.pack(f"<{code}", value // scale)

    return _Codec(lambda data: saying(name, scale * struct.unpack(f"<{code}", data)[0]), encode)


def _text(name: str, field: Field) -> _Codec:
    def encode(pack: PackReading) -> bytes | None:
        value = getattr(pack, name)
        return None if value is None else padded(value, SIZES[field])

    return _Codec(lambda data: saying(name, text(data)), encode)


def _temperatures(data: bytes) -> PackReading:
    degrees = struct.unpack("8b", data)
    return PackReading(temps_dc=tuple(10 * each for each in degrees[:3]), mos_temp_dc=10 * max(degrees[4:6]))


def _temperatures_back(pack: PackReading) -> bytes | None:
    if pack.temps_dc is None or len(pack.temps_dc) != 3:
        return None
    switches = (pack.mos_temp_dc or 0) // 10
    return struct.pack("8b", *(each // 10 for each in pack.temps_dc), 0, switches, switches, 0, 0)


def _status(data: bytes) -> PackReading:
    errors, warnings = data[2:6], data[6:10]
    other, none = frozenset({Alarm.OTHER}), frozenset[Alarm]()
    return PackReading(protections=other if any(errors) else none, warnings=other if any(warnings) else none)


def _status_back(pack: PackReading) -> bytes | None:
    if pack.protections is None or pack.warnings is None:
        return None
    return bytes((0, 0, bool(pack.protections), 0, 0, 0, bool(pack.warnings), 0, 0, 0))


def _made_on(data: bytes) -> PackReading:
    return PackReading(made_on=day(2000 + data[0], data[1], data[2]))


def _made_on_back(pack: PackReading) -> bytes | None:
    made = pack.made_on
    return None if made is None else bytes((made.year - 2000, made.month, made.day))


def _cells_back(pack: PackReading) -> bytes | None:
    if pack.cells_mv is None:
        return None
    first = pack.cells_mv[:_CELLS_A_FIELD]
    return struct.pack(f"<{len(first)}H", *first).ljust(SIZES[Field.CELLS], b"\0")


_CODECS: Final[Mapping[int, _Codec]] = {
    Field.TEMPERATURES: _Codec(_temperatures, _temperatures_back),
    Field.VOLTAGE: _number("voltage_mv", "I"),
    Field.CURRENT: _number("current_ma", "i"),
    Field.SOC: _number("soc_permille", "B", 10),
    Field.SOH: _number("soh_permille", "B", 10),
    Field.REMAINING: _number("remaining_mah", "I"),
    Field.FULL: _number("full_mah", "I"),
    Field.STATUS: _Codec(_status, _status_back),
    Field.CYCLES: _number("cycles", "I"),
    Field.DESIGN: _number("design_mah", "I"),
    Field.MADE_ON: _Codec(_made_on, _made_on_back),
    Field.MAKER: _text("maker", Field.MAKER),
    Field.MODEL: _text("model", Field.MODEL),
    Field.SERIAL: _text("serial", Field.SERIAL),
    Field.CELLS: _Codec(lambda data: PackReading(cells_mv=cells_of(data)), _cells_back),
}
