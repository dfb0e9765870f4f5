"""What does a VMO RBCS slot board know of its slot, and what does it take? Modbus RTU, 115200 8N1, unit 1..=31.

Four registers behind the ones that mirror the pack's CAN data: a pack is here (either of two limit switches), its BMS
is silent, emergency stop, charge relay. The last two are written. Without a pack the board switches charging off by
itself, and the emergency stop overrides it.

Both roles: a gateway sends the PDUs through `modbus.request_frame` and `modbus.Expectation`; a board reads a write with
`order_of`. The mirror's layout differs between versions of the firmware; `slot_vmo_pack` knows the newest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.modbus import ReadRegisters, Request, Space, WriteRegisters

FIRST: Final = 72
"""Where the four registers begin: 72 with 76 registers in all. An older firmware has 52, and begins at 48."""

_HERE, _SILENT, _EMERGENCY, _CHARGE = range(4)


@dataclass(frozen=True, slots=True)
class Slot:
    """The four registers."""

    pack_here: bool
    bms_silent: bool
    emergency_stop: bool
    charge: bool


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """Set or end it."""

    on: bool


@dataclass(frozen=True, slots=True)
class Charge:
    """Switch the charge relay."""

    on: bool


Order = EmergencyStop | Charge


def read_mirror(first: int = FIRST) -> ReadRegisters:
    """The pack's registers, as the board has them; all zero without a pack."""
    return ReadRegisters(Space.HOLDING, 0, first)


def read_slot(first: int = FIRST) -> ReadRegisters:
    """The slot's four registers."""
    return ReadRegisters(Space.HOLDING, first, 4)


def slot_of(registers: Sequence[int]) -> Slot | None:
    """None: they are not four flags."""
    if len(registers) != 4 or any(value not in (0, 1) for value in registers):
        return None
    return Slot(*(value == 1 for value in registers))


def registers_of(slot: Slot) -> tuple[int, ...]:
    """A board's answer to `read_slot`."""
    return tuple(map(int, (slot.pack_here, slot.bms_silent, slot.emergency_stop, slot.charge)))


def pdu_of(order: Order, first: int = FIRST) -> WriteRegisters:
    """By function 6."""
    place = _CHARGE if isinstance(order, Charge) else _EMERGENCY
    return WriteRegisters(first + place, (int(order.on),), single=True)


def order_of(request: Request, first: int = FIRST) -> Order | None:
    """What a board is told. None: nothing that it does."""
    match request.pdu:
        case WriteRegisters(address=address, values=(0 | 1 as on,)) if address in (first + _EMERGENCY, first + _CHARGE):
            return Charge(on == 1) if address == first + _CHARGE else EmergencyStop(on == 1)
        case _:
            return None
