"""How are locks and charger relays on Xunming's Modbus boards for swap cabinets moved?

    16 locks, 115200 8N1   function 5, coil 100 + lock: the value is how long the lock is energised in ms
    8 bays                 the same for its locks; coil 200 + bay is the charger's relay, FF00 on, 0000 off

FF00 energises for the board's own time, FFFF until it is told to stop, 0000 stops. The board counts the time by itself,
so a gateway that dies leaves no lock energised; `Lock.KEEP_ON` is the exception.

Both roles: a gateway sends the PDUs through `modbus.request_frame` and `modbus.Expectation`; a board reads them with
`order_of`. Sources: the vendor's pages. What they do not say with registers (the fan, a bay's current and energy, which
number is which baud rate) is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from protocols.fieldbus.modbus import Request, WriteCoilValue, WriteRegisters, coil_value

WILDCARD: Final = 0xFE  # the unit that any one board alone on its line answers to
LOCKS: Final = 16
BAYS: Final = 8
HOLD_MS_MAX: Final = 0xFEFF  # above are FF00 and FFFF, and values that no page explains

_LOCK_COIL: Final = 100
_CHARGER_COIL: Final = 200
_RESTART, _ADDRESS, _BAUD = 0x03E8, 0x03E9, 0x03EA


@dataclass(frozen=True, slots=True)
class Lock:
    """Energise lock 1..=16. drive: 1..=HOLD_MS_MAX ms, or one of the constants."""

    PULSE: ClassVar[int] = 0xFF00  # for the board's own time
    KEEP_ON: ClassVar[int] = 0xFFFF
    OFF: ClassVar[int] = 0x0000

    lock: int
    drive: int = 0xFF00


@dataclass(frozen=True, slots=True)
class Charger:
    """The relay of bay 1..=8."""

    bay: int
    on: bool


Order = Lock | Charger


def pdu_of(order: Order) -> WriteCoilValue:
    """Raises ValueError for what no board has or takes."""
    match order:
        case Lock(lock, drive) if 1 <= lock <= LOCKS and _means_something(drive):
            return WriteCoilValue(_LOCK_COIL + lock, drive)
        case Charger(bay, on) if 1 <= bay <= BAYS:
            return WriteCoilValue(_CHARGER_COIL + bay, 0xFF00 if on else 0)
        case _:
            raise ValueError(f"a Xunming board has {LOCKS} locks held up to {HOLD_MS_MAX} ms and {BAYS} bays: {order}")


def order_of(request: Request) -> Order | None:
    """What a board is told. None: nothing that it does; a real board's answer to that is not known."""
    asked = coil_value(request)
    if asked is None:
        return None
    lock, bay = asked.address - _LOCK_COIL, asked.address - _CHARGER_COIL
    if 1 <= lock <= LOCKS and _means_something(asked.value):
        return Lock(lock, asked.value)
    if 1 <= bay <= BAYS and asked.value in (0, 0xFF00):
        return Charger(bay, asked.value != 0)
    return None


def set_address(unit: int) -> WriteRegisters:
    """unit: 1..=247."""
    if not 1 <= unit <= 247:
        raise ValueError(f"a Modbus unit is 1..=247, not {unit}")
    return WriteRegisters(_ADDRESS, (unit,), single=True)


def set_baud(code: int) -> WriteRegisters:
    """code: the board's own number for a baud rate; 1 is printed, without its meaning."""
    return WriteRegisters(_BAUD, (code,), single=True)


def restart() -> WriteRegisters:
    """Start the board anew."""
    return WriteRegisters(_RESTART, (0x00FF,), single=True)


def _means_something(drive: int) -> bool:
    return 0 <= drive <= HOLD_MS_MAX or drive in (Lock.PULSE, Lock.KEEP_ON)
