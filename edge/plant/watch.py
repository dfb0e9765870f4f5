"""What is seen: devices' last answers, put on the box's own clock, as the till wants to see them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from drivers.api import Charger, Iec61851, Meter, MeterReading, Quality, Reading
from edge.clock import Clock
from edge.till.policy import Connector
from edge.till.sight import ChargerSight, Sight
from protocols.trade.records import Register, Stamp


@dataclass(frozen=True, slots=True)
class Outlet:
    """A connector and the devices behind it."""

    connector: str
    charger: Charger
    meter: Meter
    meter_id: str

    def place(self) -> Connector:
        """What the profiles of charger and meter promise, for the till's guards and meter rules."""
        limits, traits = self.charger.limits, self.meter.traits
        return Connector(
            id=self.connector,
            meter=self.meter_id,
            power_w_max=limits.power_w_max,
            current_ma_max=limits.current_ma_max,
            failsafe_s=limits.failsafe_s,
            register_wh_max=traits.register_wh_max,
            resolution_wh=traits.resolution_wh,
        )


class Watch:
    """Looks at outlets. Reads only what drivers have polled; asks a meter itself when it must be now."""

    def __init__(self, clock: Clock, outlets: Mapping[str, Outlet]) -> None:
        self._clock = clock
        self.outlets = outlets

    def sights(self) -> dict[str, Sight]:
        return {connector: self.sight(connector) for connector in self.outlets}

    def sight(self, connector: str, register: Register | None = None) -> Sight:
        """The connector as last polled; `register` in place of the polled one where it has just been read."""
        outlet = self.outlets[connector]
        now = self._clock.stamp()
        reading = outlet.meter.reading()
        return Sight(
            now=now,
            status=self._status(outlet.charger),
            register=register or self._register(outlet, reading, now),
            meter_power_w=reading.value.power_w if reading.value is not None else None,
            meter_serial=reading.value.serial if reading.value is not None else None,
        )

    async def read_now(self, connector: str) -> Sight:
        """Ask the meter ahead of all polls. Raises DeviceError when it does not answer."""
        outlet = self.outlets[connector]
        reading = await outlet.meter.read_now()
        return self.sight(connector, self._register(outlet, reading, self._clock.stamp()))

    def registers(self) -> list[Register]:
        """The last register of every meter that has ever answered in this boot, by meter id."""
        now = self._clock.stamp()
        found = {o.meter_id: self._register(o, o.meter.reading(), now) for o in self.outlets.values()}
        return [register for _, register in sorted(found.items()) if register is not None]

    def _status(self, charger: Charger) -> ChargerSight | None:
        reading = charger.status()
        if reading.value is None or reading.at_ms is None:
            return None
        status = reading.value
        return ChargerSight(
            plugged=status.plugged,
            delivering=status.delivering,
            faulted=status.iec in (Iec61851.E, Iec61851.F),
            reason=status.reason,
            power_w=status.power_w,
            at_ms=self._on_our_clock(reading.at_ms),
        )

    def _register(self, outlet: Outlet, reading: Reading[MeterReading], now: Stamp) -> Register | None:
        if reading.value is None or reading.at_ms is None or reading.quality is Quality.NONE:
            return None
        at_ms = self._on_our_clock(reading.at_ms)
        wall_ms = now.wall_ms - (now.mono_ms - at_ms)
        return Register(outlet.meter_id, reading.value.register_wh, at_ms, wall_ms)

    def _on_our_clock(self, monotonic_ms: int) -> int:
        """Drivers count from CLOCK_MONOTONIC; the box's clock goes on while the box sleeps."""
        return max(0, self._clock.mono_ms() - (time.monotonic_ns() // 1_000_000 - monotonic_ms))
