"""What is seen at a connector at one instant: the input of every decision about it."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.trade.records import Register, Stamp


@dataclass(frozen=True, slots=True)
class ChargerSight:
    """The charger's word. at_ms: monotonic, of its answer."""

    plugged: bool
    delivering: bool
    faulted: bool
    reason: str
    power_w: int | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class Sight:
    """now: the box's clocks. status, register: the last good answers, however old; None: never one in this boot.
    meter_serial: the number of the very meter that gave the register; None: it tells none.

    order_ms: monotonic, when the last order to the charger ended; what it said before may not yet be the outcome. Later
    than now while an order is under way; 0: none has been given. paused: it may not draw now, for want of power at the
    site; that it draws nothing is nobody's choice.
    """

    now: Stamp
    status: ChargerSight | None
    register: Register | None
    meter_power_w: int | None
    order_ms: int = 0
    meter_serial: str | None = None
    paused: bool = False

    def status_within(self, age_ms: int) -> ChargerSight | None:
        """The charger's word if it is not older than this."""
        return self.status if self.status is not None and self.now.mono_ms - self.status.at_ms <= age_ms else None

    def register_within(self, age_ms: int) -> Register | None:
        """The register if it is not older than this."""
        fresh = self.register is not None and self.now.mono_ms - self.register.mono_ms <= age_ms
        return self.register if fresh else None
