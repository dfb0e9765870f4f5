"""How are the relays of a Waveshare Modbus RTU relay board switched and pulsed? 9600 8N1, unit 1, when new.

    relay   function 5, coil 0..=7: FF00 on, 0000 off; coil 00FF: all; function 1 reads them, function 0F sets them
    pulse   function 5, coil 0200 + relay: on for value x 100 ms, then off; coil 0400 + relay: off, then on
    inputs  function 2, on the boards that have them

The board counts a pulse by itself, so a gateway that dies leaves no lock energised: locks are opened by `Pulse`, never
by on and off.

Both roles: a gateway sends the PDUs through `modbus.request_frame` and `modbus.Expectation`; a board reads function 5
with `order_of`, the rest are plain bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.modbus import ReadBits, Request, Space, WriteCoils, WriteCoilValue, coil_value

RELAYS: Final = 8
STEP_MS: Final = 100
PULSE_MS_MAX: Final = 0x7FFF * STEP_MS  # a bound of ours, well above any lock: no source gives the board's

_ALL, _ON_FOR, _OFF_FOR = 0x00FF, 0x0200, 0x0400


@dataclass(frozen=True, slots=True)
class Switch:
    """Relay 0..=7. None: all of them."""

    relay: int | None
    on: bool


@dataclass(frozen=True, slots=True)
class Pulse:
    """Relay 0..=7 goes on (or off), and back after duration_ms, whole steps of 100 up to PULSE_MS_MAX."""

    relay: int
    duration_ms: int
    on: bool = True


Order = Switch | Pulse


def pdu_of(order: Order) -> WriteCoilValue:
    """Raises ValueError for what the board does not have or cannot count."""
    match order:
        case Switch(None, on):
            return WriteCoilValue(_ALL, 0xFF00 if on else 0)
        case Switch(int(relay), on) if 0 <= relay < RELAYS:
            return WriteCoilValue(relay, 0xFF00 if on else 0)
        case Pulse(relay, duration_ms, on) if 0 <= relay < RELAYS and _countable(duration_ms):
            return WriteCoilValue((_ON_FOR if on else _OFF_FOR) + relay, duration_ms // STEP_MS)
        case _:
            raise ValueError(
                f"expected a relay of 0..={RELAYS - 1}, steps of {STEP_MS} ms up to {PULSE_MS_MAX}: {order}"
            )


def order_of(request: Request) -> Order | None:
    """What a board is told by function 5. None: by another function, or nothing that it does."""
    asked = coil_value(request)
    if asked is None:
        return None
    base, relay = asked.address & ~0x07, asked.address & 0x07
    if asked.address == _ALL and asked.value in (0, 0xFF00):
        return Switch(None, asked.value != 0)
    if base == 0 and asked.value in (0, 0xFF00):
        return Switch(relay, asked.value != 0)
    if base in (_ON_FOR, _OFF_FOR) and _countable(asked.value * STEP_MS):
        return Pulse(relay, asked.value * STEP_MS, base == _ON_FOR)
    return None


def read_relays(count: int = RELAYS) -> ReadBits:
    """How all relays stand."""
    return ReadBits(Space.COIL, 0, count)


def set_relays(on: tuple[bool, ...]) -> WriteCoils:
    """All relays at once, the first one first."""
    return WriteCoils(0, on)


def read_inputs(count: int = RELAYS) -> ReadBits:
    """The board's inputs; only some models have any."""
    return ReadBits(Space.DISCRETE, 0, count)


def _countable(duration_ms: int) -> bool:
    return 0 < duration_ms <= PULSE_MS_MAX and duration_ms % STEP_MS == 0
