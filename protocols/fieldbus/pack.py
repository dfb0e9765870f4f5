"""What may a battery pack say of itself, whatever its protocol?

Every pack protocol gives a `PackReading` with what one answer said; `over` puts several together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import Enum
from typing import Any


class Alarm(Enum):
    """Why a pack warns or protects itself. OTHER: it does, by a bit whose meaning no source tells."""

    CELL_HIGH = "cell voltage high"
    CELL_LOW = "cell voltage low"
    PACK_HIGH = "pack voltage high"
    PACK_LOW = "pack voltage low"
    CHARGE_CURRENT = "charge current high"
    DISCHARGE_CURRENT = "discharge current high"
    SHORT = "short circuit"
    CHARGE_HOT = "too hot to charge"
    CHARGE_COLD = "too cold to charge"
    DISCHARGE_HOT = "too hot to discharge"
    DISCHARGE_COLD = "too cold to discharge"
    BATTERY_HOT = "battery hot"
    BATTERY_COLD = "battery cold"
    MOS_HOT = "switch hot"
    CASE_HOT = "case hot"
    CASE_COLD = "case cold"
    CELLS_APART = "cell voltages apart"
    TEMPS_APART = "temperatures apart"
    SOC_LOW = "charge low"
    SOC_HIGH = "charge high"
    CHARGE_LONG = "charged too long"
    CHARGE_FORBIDDEN = "too empty to be charged"
    MOS_FAULT = "switch broken"
    SENSOR_FAULT = "sensor broken"
    CELL_FAULT = "cell broken"
    BOARD_FAULT = "electronics broken"
    LINK_FAULT = "its own links broken"
    REVERSED = "poles reversed"
    LOCKED = "locked by software"
    OTHER = "of unknown meaning"


class Flow(Enum):
    """Which way the pack says that current flows."""

    IDLE = "idle"
    CHARGING = "charging"
    DISCHARGING = "discharging"


@dataclass(frozen=True, slots=True)
class PackReading:
    """One or more answers of a pack. None: it did not say, or says that it does not know.

    serial: as read, trimmed; see `pack_code`. current_ma: positive charges the pack. *_dc: tenths of a degree Celsius.
    full_mah: what it holds today when full; design_mah: what it held when new. cells_mv: from the first cell on.
    charge_on, discharge_on: its switches let current in, out. protections: it has cut something off for this, or would;
    warnings: the step before.
    """

    serial: str | None = None
    maker: str | None = None
    model: str | None = None
    hardware: str | None = None
    software: str | None = None
    made_on: date | None = None
    voltage_mv: int | None = None
    current_ma: int | None = None
    soc_permille: int | None = None
    soh_permille: int | None = None
    remaining_mah: int | None = None
    full_mah: int | None = None
    design_mah: int | None = None
    cycles: int | None = None
    cells_mv: tuple[int, ...] | None = None
    cell_mv_max: int | None = None
    cell_mv_min: int | None = None
    temps_dc: tuple[int, ...] | None = None
    temp_dc_max: int | None = None
    temp_dc_min: int | None = None
    mos_temp_dc: int | None = None
    case_temp_dc: int | None = None
    charge_on: bool | None = None
    discharge_on: bool | None = None
    flow: Flow | None = None
    warnings: frozenset[Alarm] | None = None
    protections: frozenset[Alarm] | None = None

    def over(self, older: PackReading) -> PackReading:
        """What this one says, and what only `older` says."""
        both = ((field.name, getattr(self, field.name), getattr(older, field.name)) for field in fields(self))
        return PackReading(**{name: was if now is None else now for name, now, was in both})

    @property
    def charge_permille(self) -> int | None:
        """How full it is: as it says, else from what remains of the full charge. Cut off; never above 1000."""
        if self.soc_permille is not None:
            return self.soc_permille
        return _permille(self.remaining_mah, self.full_mah)

    @property
    def health_permille(self) -> int | None:
        """How much of its first capacity is left: as it says, else computed. Cut off; never above 1000."""
        return self.soh_permille if self.soh_permille is not None else _permille(self.full_mah, self.design_mah)

    @property
    def hottest_dc(self) -> int | None:
        """The greatest temperature of its cells."""
        return self.temp_dc_max if self.temp_dc_max is not None else max(self.temps_dc or (), default=None)

    @property
    def coldest_dc(self) -> int | None:
        """The least temperature of its cells."""
        return self.temp_dc_min if self.temp_dc_min is not None else min(self.temps_dc or (), default=None)

    @property
    def contradicts_itself(self) -> bool:
        """Whether current and flow disagree: the sign of the current is configured the wrong way round."""
        if not self.current_ma or self.flow not in (Flow.CHARGING, Flow.DISCHARGING):
            return False
        return (self.current_ma > 0) != (self.flow is Flow.CHARGING)


def saying(name: str, value: Any) -> PackReading:
    """The reading whose field `name` is `value`, for tables of fields."""
    return PackReading(**{name: value})


def alarms(bits: int, meanings: Mapping[int, Alarm], ignored: int = 0) -> frozenset[Alarm]:
    """The alarms in a bit field. meanings: by bit number. ignored: mask of bits that are no alarm."""
    bits &= ~ignored
    found = {alarm for bit, alarm in meanings.items() if bits >> bit & 1}
    unknown = bits & ~sum(1 << bit for bit in meanings)
    return frozenset(found | {Alarm.OTHER} if unknown else found)


def text(data: bytes) -> str | None:
    """ASCII padded with NUL or spaces. None: empty, or not to be printed (an erased memory gives FFh)."""
    stripped = data.split(b"\0", 1)[0].strip(b" ")
    return stripped.decode("ascii") if stripped and all(0x20 <= byte <= 0x7E for byte in stripped) else None


def padded(value: str, size: int) -> bytes:
    """`value` as `text` reads it, NUL behind it. Raises ValueError when it is too long or not ASCII."""
    data = value.encode("ascii")
    if len(data) > size:
        raise ValueError(f"{value!r} does not fit into {size} bytes")
    return data.ljust(size, b"\0")


def day(year: int, month: int, day_of_month: int) -> date | None:
    """None when there is no such day: packs leave their date unset."""
    try:
        return date(year, month, day_of_month)
    except ValueError:
        return None


def _permille(part: int | None, whole: int | None) -> int | None:
    return min(1000, part * 1000 // whole) if part is not None and whole else None
