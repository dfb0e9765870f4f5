"""What is seen at a port at one instant: the input of every decision about it."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.port_board import PortStatus, Settlement
from protocols.trade.records import Stamp


@dataclass(frozen=True, slots=True)
class PortSight:
    """now: the box's clocks. status with status_ms: the last good word of the port, however old; None: never.

    settlements: of this port that wait to be acknowledged, oldest first.
    """

    now: Stamp
    status: PortStatus | None = None
    status_ms: int | None = None
    settlements: tuple[Settlement, ...] = ()

    def status_within(self, age_ms: int) -> PortStatus | None:
        """The port's word if it is not older than this."""
        if self.status is None or self.status_ms is None:
            return None
        return self.status if self.now.mono_ms - self.status_ms <= age_ms else None
