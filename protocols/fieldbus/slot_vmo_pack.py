"""What does a VMO RBCS slot board mirror of the pack in its slot? The registers before those of `slot_vmo`.

Only of the firmware with 76 registers (`slot_vmo.FIRST`), which takes them over from the pack's CAN frames, four
registers of a frame each; where two values share a register, the one named first is the high byte. Both roles:
`pack_of` is the gateway's, `registers_of_pack` the board's. The pack's code is in none of them.
(facts: cabinets 2.5; the firmware's list of registers.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from protocols.fieldbus.pack import Alarm, PackReading
from protocols.fieldbus.slot_vmo import FIRST

_FAULTS: Final = range(16, 20)  # bits of the cells' diagnosis; the firmware takes any for a fault, none is laid out
_VOLTAGE: Final = 21  # 2 mV
_CURRENT: Final = 23  # 20 mA, signed, positive charges
_CHARGE_HEALTH: Final = 25  # % each
_CYCLES: Final = 26
_CELLS: Final = range(40, 53)  # 0.1 mV; the thirteen that there can be, 0 where there is none
_TEMP_AVERAGE_LEAST: Final = 60  # C each, signed
_TEMP_PLACE_GREATEST: Final = 61

_VOLTAGE_MV: Final = 2
_CURRENT_MA: Final = 20
_CELL_TENTHS: Final = 10


def pack_of(registers: Sequence[int]) -> PackReading | None:
    """registers: at least the first 72, as answered. None: fewer."""
    if len(registers) < FIRST:
        return None
    charge, health = divmod(registers[_CHARGE_HEALTH], 256)
    least, greatest = registers[_TEMP_AVERAGE_LEAST] & 0xFF, registers[_TEMP_PLACE_GREATEST] & 0xFF
    ill = any(registers[place] for place in _FAULTS)
    return PackReading(
        voltage_mv=_VOLTAGE_MV * registers[_VOLTAGE],
        current_ma=_CURRENT_MA * _signed(registers[_CURRENT], 16),
        soc_permille=10 * charge,
        soh_permille=10 * health,
        cycles=registers[_CYCLES],
        cells_mv=tuple(registers[place] // _CELL_TENTHS for place in _CELLS if registers[place]),
        temp_dc_max=10 * _signed(greatest, 8),
        temp_dc_min=10 * _signed(least, 8),
        warnings=None if ill else frozenset(),
        protections=frozenset({Alarm.OTHER}) if ill else frozenset(),
    )


def registers_of_pack(pack: PackReading) -> tuple[int, ...]:
    """The mirror of a pack, 72 registers; what it does not know is 0. At most thirteen cells."""
    registers = [0] * FIRST
    coldest, hottest = ((temp or 0) // 10 & 0xFF for temp in (pack.coldest_dc, pack.hottest_dc))
    registers[_FAULTS[0]] = int(bool(pack.protections))
    registers[_VOLTAGE] = (pack.voltage_mv or 0) // _VOLTAGE_MV
    registers[_CURRENT] = (pack.current_ma or 0) // _CURRENT_MA & 0xFFFF
    registers[_CHARGE_HEALTH] = (pack.charge_permille or 0) // 10 << 8 | (pack.health_permille or 0) // 10
    registers[_CYCLES] = pack.cycles or 0
    for place, mv in zip(_CELLS, pack.cells_mv or (), strict=False):
        registers[place] = mv * _CELL_TENTHS
    registers[_TEMP_AVERAGE_LEAST] = coldest << 8 | coldest
    registers[_TEMP_PLACE_GREATEST] = 1 << 8 | hottest
    return tuple(registers)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value
