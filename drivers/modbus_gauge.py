"""A tank gauge by its profile: volume, level, water and temperature, as far as it knows them."""

from __future__ import annotations

from fractions import Fraction
from typing import NoReturn

from drivers.api import Link, Point, Quality, Reading
from drivers.errors import Transient
from drivers.gauge import TankReading
from drivers.line import Priority
from drivers.modbus_device import ModbusDevice, now_ms


class ModbusGauge:
    """A `drivers.gauge.TankGauge` over a device whose profile gives a volume or a level."""

    def __init__(self, device: ModbusDevice) -> None:
        gives = device.profile.gives
        assert gives.volume or gives.level, f"{device.profile.id} gives neither volume nor level"
        self._device = device
        self._gives = gives
        self._main = tuple(name for name in (gives.volume, gives.level) if name is not None)
        self.id = device.id
        self.profile_id = device.profile.id

    def link(self) -> Link:
        return self._device.link()

    def points(self) -> list[Point]:
        return self._device.points()

    async def run(self) -> NoReturn:
        await self._device.run()

    def reading(self) -> Reading[TankReading]:
        """As last read; `at_ms` is the oldest of the instants of volume and level. No I/O."""
        device, now = self._device, now_ms()
        seen = [device.seen[name] for name in self._main]
        instants = [one.at_ms for one in seen if one.at_ms is not None]
        volume, level = self._amount(self._gives.volume), self._amount(self._gives.level)
        if not instants or (volume is None and level is None):
            return Reading(None, Quality.NONE, min(instants, default=None))
        at_ms = min(instants)
        old = any(device.is_old(name, at_ms, now) for name in self._main)
        water, temperature = self._amount(self._gives.water), self._amount(self._gives.temperature)
        value = TankReading(
            volume_ml=None if volume is None else max(0, round(volume * 1000)),
            level_mm=None if level is None else max(0, round(level)),
            water_mm=None if water is None else max(0, round(water)),
            temp_dc=None if temperature is None else round(temperature * 10),
        )
        return Reading(value, Quality.STALE if old else Quality.GOOD, at_ms)

    async def read_now(self) -> Reading[TankReading]:
        """Ask at command priority. Quality NONE: it answered that it does not know. Raises DeviceError."""
        named = (*self._main, self._gives.water, self._gives.temperature)
        wanted = tuple(name for name in named if name is not None)
        answered = await self._device.fetch(wanted, Priority.COMMAND)
        if not answered.intersection(self._main):
            raise Transient("the tank's volume is not available just now", where=self._device.client.where)
        return self.reading()

    def _amount(self, name: str | None) -> Fraction | None:
        """A point in base units (L, mm, degrees)."""
        value = None if name is None else self._device.seen[name].value
        return Fraction(value) if isinstance(value, int | Fraction) and not isinstance(value, bool) else None
