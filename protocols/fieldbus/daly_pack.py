"""What does a Daly pack answer on UART or RS-485, from what it knows of itself?"""

from __future__ import annotations

import struct
from typing import Final

from protocols.fieldbus.daly_app import (
    CODE_FRAMES,
    DEGREES_ZERO,
    FLOWS,
    Command,
    Counts,
    Sign,
    Switches,
    Total,
    current_raw,
    encode_alarms,
    numbered,
)
from protocols.fieldbus.pack import PackReading, padded

_CELLS: Final = 6  # bytes of content in a frame
_OTHERS: Final = 7
_DATA: Final = 8


def answers_of(command: int, pack: PackReading, sign: Sign = Sign.ABOVE_DISCHARGES) -> list[bytes]:
    """The data of every frame of the answer; what the pack does not know is 0. Empty: it stays silent.

    Writes are not served here: a pack repeats their first byte.
    """
    match command:
        case Command.CELLS:
            return numbered(struct.pack(f">{len(pack.cells_mv or ())}H", *(pack.cells_mv or ())), _CELLS)
        case Command.TEMPS:
            return numbered(bytes(_degrees(temp) for temp in pack.temps_dc or ()), _OTHERS)
        case Command.CODE:
            return [] if pack.serial is None else numbered(padded(pack.serial, _OTHERS * CODE_FRAMES), _OTHERS)
        case _:
            data = _data_of(command, pack, sign)
            return [] if data is None else [data.ljust(_DATA, b"\0")]


def _data_of(command: int, pack: PackReading, sign: Sign) -> bytes | None:
    cells, made = pack.cells_mv or (0,), pack.made_on
    match command:
        case Command.TOTAL:
            current = current_raw(pack.current_ma or 0, sign)
            return Total(pack.voltage_mv or 0, 0, current, pack.charge_permille or 0).encode()
        case Command.CELL_EXTREMES:
            most, least = max(cells), min(cells)
            return struct.pack(">HBHB", most, cells.index(most) + 1, least, cells.index(least) + 1)
        case Command.TEMP_EXTREMES:
            return bytes((_degrees(pack.hottest_dc), 1, _degrees(pack.coldest_dc), 1))
        case Command.SWITCHES:
            state = next((number for number, flow in FLOWS.items() if flow is pack.flow), 0)
            switches = bool(pack.charge_on), bool(pack.discharge_on)
            return Switches(state, *switches, 0, pack.remaining_mah or 0).encode()
        case Command.COUNTS:
            sizes = len(pack.cells_mv or ()), len(pack.temps_dc or ())
            return Counts(*sizes, False, False, 0, pack.cycles or 0).encode()
        case Command.ALARMS:
            return encode_alarms(pack.warnings or frozenset(), pack.protections or frozenset())
        case Command.RATED:
            return struct.pack(">II", pack.design_mah or 0, 0)
        case Command.MADE_ON:
            return None if made is None else bytes((0, 0, made.year - 2000, made.month, made.day))
        case _:
            return None


def _degrees(temp_dc: int | None) -> int:
    return (temp_dc or 0) // 10 + DEGREES_ZERO
