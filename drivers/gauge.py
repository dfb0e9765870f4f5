"""The gauge kind: what stands in a tank, by a probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from drivers.api import Device, Reading


@dataclass(frozen=True, slots=True)
class TankReading:
    """volume_ml: at the temperature it has. level_mm: of the fuel, water below it included. temp_dc: tenths of a degree
    Celsius. Each None where the gauge does not know; at least one of volume and level is known.
    """

    volume_ml: int | None
    level_mm: int | None
    water_mm: int | None
    temp_dc: int | None


@runtime_checkable
class TankGauge(Device, Protocol):
    """Measures a tank."""

    def reading(self) -> Reading[TankReading]:
        """As last read. No I/O."""
        ...

    async def read_now(self) -> Reading[TankReading]:
        """Ask at command priority, ahead of polls. Raises DeviceError when no valid answer comes."""
        ...
