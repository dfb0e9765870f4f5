"""What does a PACE or Seplos V2 pack answer, from what it knows of itself? What it does not know is 0."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.fieldbus.pace_app import (
    FAULTS,
    KELVIN_PACE_DC,
    KELVIN_SEPLOS_DC,
    PROTECT_1,
    PROTECT_2,
    Analog,
    SeplosAnalog,
    Warn,
    system_bits,
)
from protocols.fieldbus.pack import Alarm, PackReading


def analog_of(pack: PackReading, number: int, kelvin_dc: int = KELVIN_PACE_DC) -> Analog:
    """ANALOG of a PACE pack. number: the pack's."""
    return Analog(
        pack=number,
        cells_mv=pack.cells_mv or (),
        temps_raw=tuple(temp + kelvin_dc for temp in pack.temps_dc or ()),
        current_ma=pack.current_ma or 0,
        voltage_mv=pack.voltage_mv or 0,
        remaining_mah=pack.remaining_mah or 0,
        full_mah=pack.full_mah or 0,
        cycles=pack.cycles or 0,
        design_mah=pack.design_mah or 0,
    )


def seplos_analog_of(pack: PackReading, number: int, kelvin_dc: int = KELVIN_SEPLOS_DC) -> SeplosAnalog:
    """ANALOG of a Seplos V2 pack, whose poles have its voltage."""
    return SeplosAnalog(
        pack=number,
        cells_mv=pack.cells_mv or (),
        temps_raw=tuple(temp + kelvin_dc for temp in pack.temps_dc or ()),
        current_ma=pack.current_ma or 0,
        voltage_mv=pack.voltage_mv or 0,
        remaining_mah=pack.remaining_mah or 0,
        full_mah=pack.full_mah or 0,
        soc_permille=pack.charge_permille or 0,
        rated_mah=pack.design_mah or 0,
        cycles=pack.cycles or 0,
        soh_permille=pack.health_permille or 0,
        port_mv=pack.voltage_mv or 0,
    )


def warn_of(pack: PackReading, number: int) -> Warn:
    """WARN of a PACE pack. Warnings show as states; alarms without a place are left out."""
    warned, protected = pack.warnings or frozenset(), pack.protections or frozenset()
    cells, temps = len(pack.cells_mv or ()), len(pack.temps_dc or ())
    return Warn(
        pack=number,
        cell_states=(_state(warned, Alarm.CELL_LOW, Alarm.CELL_HIGH),) * cells,
        temp_states=(_state(warned, Alarm.BATTERY_COLD, Alarm.BATTERY_HOT),) * temps,
        charge_current=2 * (Alarm.CHARGE_CURRENT in warned),
        voltage=_state(warned, Alarm.PACK_LOW, Alarm.PACK_HIGH),
        discharge_current=2 * (Alarm.DISCHARGE_CURRENT in warned),
        protect_1=_bits(protected, PROTECT_1),
        protect_2=_bits(protected, PROTECT_2),
        system=system_bits(pack),
        config=0,
        fault=_bits(protected, FAULTS),
        balancing=0,
        warn_1=0,
        warn_2=0,
    )


def _state(warned: frozenset[Alarm], low: Alarm, high: Alarm) -> int:
    return 1 if low in warned else 2 * (high in warned)


def _bits(protected: frozenset[Alarm], meanings: Mapping[int, Alarm]) -> int:
    return sum(1 << bit for bit, alarm in meanings.items() if alarm in protected)
