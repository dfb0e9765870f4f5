"""YKC 1.6: what does a DC pile pass on of its talk with the vehicle's battery (GB/T 27930)?

All of it is for the eye: nothing here is billed. Each message names its order, pile and gun. Currents and temperatures
have their offsets (400 A, 50 degrees) taken off; the sign of a current is the sender's.
(facts: chargers_meters 6.2 lists them; their fields are the document's tables.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

from protocols.fieldbus.ykc_fields import Choice, Gun, Hex, Order, Pile, Raw, Text, Uint, Vin

Current = Annotated[int, Uint(2, step=100, offset=-4000)]
Voltage = Annotated[int, Uint(2, step=100)]
CellVoltage = Annotated[int, Uint(2, step=10)]
Temperature = Annotated[int, Uint(1, step=10, offset=-50)]
Percent = Annotated[int, Uint(1)]
Minutes = Annotated[int, Uint(2)]


class Cells(IntEnum):
    LEAD = 1
    NICKEL = 2
    IRON_PHOSPHATE = 3
    MANGANESE = 4
    COBALT = 5
    TERNARY = 6
    POLYMER = 7
    TITANATE = 8
    OTHER = 0xFF


class ChargeMode(IntEnum):
    CONSTANT_VOLTAGE = 1
    CONSTANT_CURRENT = 2


@dataclass(frozen=True, slots=True)
class Handshake:
    """0x15: who the battery is."""

    order: Order
    pile: Pile
    gun: Gun
    protocol: Annotated[str, Hex(3)]
    cells: Annotated[int, Choice(Cells)]
    capacity_mah: Annotated[int, Uint(2, step=100)]
    voltage_mv: Voltage
    maker: Annotated[str, Text(4)]
    pack: Annotated[int, Uint(4)]
    made_year: Annotated[int, Uint(1, offset=1985)]
    made_month: Annotated[int, Uint(1)]
    made_day: Annotated[int, Uint(1)]
    cycles: Annotated[int, Uint(3)]
    owned: Annotated[int, Uint(1)]  # 0 rented, 1 the vehicle's own
    rest: Annotated[int, Uint(1)]
    vin: Vin
    software: Annotated[bytes, Raw(8)]


@dataclass(frozen=True, slots=True)
class Parameters:
    """0x17: what the battery bears, and what the pile can."""

    order: Order
    pile: Pile
    gun: Gun
    cell_voltage_mv_max: CellVoltage
    current_ma_max: Current
    energy_wh: Annotated[int, Uint(2, step=100)]
    voltage_mv_max: Voltage
    temp_dc_max: Temperature
    soc_permille: Annotated[int, Uint(2)]
    voltage_mv: Voltage
    pile_voltage_mv_max: Voltage
    pile_voltage_mv_min: Voltage
    pile_current_ma_max: Current
    pile_current_ma_min: Current


@dataclass(frozen=True, slots=True)
class ChargeEnd:
    """0x19. energy_wh: in steps of 100; the bill knows better."""

    order: Order
    pile: Pile
    gun: Gun
    soc_pct: Percent
    cell_voltage_mv_min: CellVoltage
    cell_voltage_mv_max: CellVoltage
    temp_dc_min: Temperature
    temp_dc_max: Temperature
    charged_min: Minutes
    energy_wh: Annotated[int, Uint(2, step=100)]
    charger: Annotated[int, Uint(4)]


@dataclass(frozen=True, slots=True)
class Errors:
    """0x1B. marks: two bits each, see `marks` and TIME_OUTS."""

    order: Order
    pile: Pile
    gun: Gun
    marks: Annotated[bytes, Raw(8)]


@dataclass(frozen=True, slots=True)
class BatteryStops:
    """0x1D. marks: see BATTERY_STOPS."""

    order: Order
    pile: Pile
    gun: Gun
    marks: Annotated[bytes, Raw(4)]


@dataclass(frozen=True, slots=True)
class ChargerStops:
    """0x21. marks: see CHARGER_STOPS."""

    order: Order
    pile: Pile
    gun: Gun
    marks: Annotated[bytes, Raw(4)]


@dataclass(frozen=True, slots=True)
class Demand:
    """0x23, every 15 s: what the battery wants, what it measures, and what the pile gives."""

    order: Order
    pile: Pile
    gun: Gun
    wanted_voltage_mv: Voltage
    wanted_current_ma: Current
    mode: Annotated[int, Choice(ChargeMode)]
    voltage_mv: Voltage
    current_ma: Current
    highest_cell: Annotated[int, Uint(2)]
    soc_pct: Percent
    remaining_min: Minutes
    pile_voltage_mv: Voltage
    pile_current_ma: Current
    charged_min: Minutes

    @property
    def highest_cell_mv(self) -> int:
        return (self.highest_cell & 0x0FFF) * 10

    @property
    def highest_cell_group(self) -> int:
        return self.highest_cell >> 12


@dataclass(frozen=True, slots=True)
class BatteryState:
    """0x25, every 15 s. Cells and probes count from 1. marks: see BATTERY_STATE."""

    order: Order
    pile: Pile
    gun: Gun
    highest_cell: Annotated[int, Uint(1, offset=1)]
    temp_dc_max: Temperature
    temp_dc_max_probe: Annotated[int, Uint(1, offset=1)]
    temp_dc_min: Temperature
    temp_dc_min_probe: Annotated[int, Uint(1, offset=1)]
    marks: Annotated[bytes, Raw(2)]


Names = Sequence[str | None]
"""Of pairs of bits, the lowest first; None: reserved."""

TIME_OUTS: Final[Names] = (
    "charger's CRM 00", "charger's CRM AA", None, None,
    "charger's time and limits", "charger ready", None, None,
    "charger's state", "charger's stop", None, None,
    "charger's statistics", None, None, None,
    "BMS and vehicle", None, None, None,
    "battery's parameters", "BMS ready", None, None,
    "battery's state", "battery's demand", "BMS's stop", None,
    "BMS's statistics", None, None, None,
)  # fmt: skip
BATTERY_STOPS: Final[Names] = (
    "state of charge reached", "voltage reached", "cell voltage reached", "charger stopped",
    "insulation", "connector too hot", "BMS or connector too hot", "connector",
    "battery too hot", "high-voltage relay", "voltage at detection point 2", "other fault",
    "current too high", "voltage", None, None,
)  # fmt: skip
CHARGER_STOPS: Final[Names] = (
    "condition reached", "by hand", "fault", "BMS stopped",
    "charger too hot", "connector", "inside too hot", "energy cannot be delivered",
    "emergency stop", "other fault", None, None,
    "current does not match", "voltage", None, None,
)  # fmt: skip
BATTERY_STATE: Final[Names] = (
    "cell voltage", "state of charge", "charging current", "temperature",
    "insulation", "connector", "charging allowed", None,
)  # fmt: skip
"""Of cell voltage and state of charge 1 is too high, 2 too low. Charging is allowed at 1, else 1 means a fault."""


def marks(names: Names, data: bytes) -> dict[str, int]:
    """The pairs of bits that are not 0: mostly 1 for yes and 2 for a state that the sender does not trust."""
    number = int.from_bytes(data, "little")
    found = {name: number >> 2 * place & 3 for place, name in enumerate(names) if name is not None}
    return {name: mark for name, mark in found.items() if mark}
