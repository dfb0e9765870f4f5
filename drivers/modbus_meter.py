"""A meter by its profile: a lifetime register in Wh, and the power of the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from typing import Final, NoReturn

from drivers.api import Link, MeterReading, MeterTraits, Point, Quality, Reading
from drivers.errors import Transient, Unsupported
from drivers.line import Priority
from drivers.modbus_device import ModbusDevice, now_ms
from drivers.profile import quantity
from drivers.profile_state import render

PAUSES_S: Final = (0.0, 0.1, 0.3)  # a meter behind a charger's controller is back within half a second


class ModbusMeter:
    """A `drivers.api.Meter` over a device whose profile gives a register."""

    def __init__(self, device: ModbusDevice) -> None:
        assert device.profile.gives.register, f"{device.profile.id} gives no register"
        self._device = device
        self.id = device.id
        self.profile_id = device.profile.id
        points = [device.profile.points[name] for name in device.profile.gives.register]
        wraps = [quantity(point.wraps_at).amount for point in points if point.wraps_at is not None]
        self._known: Reading[MeterReading] = Reading(None, Quality.NONE, None)
        step = max(_step_wh(point.resolution or point.unit, point.type) for point in points)
        self.traits = MeterTraits(
            billing_grade=all(point.billing_grade for point in points),
            resolution_wh=step,
            register_wh_max=floor(min(wraps)) - step if wraps else None,
            power_w_max=device.profile.device.power_w_max,
        )

    def link(self) -> Link:
        return self._device.link()

    def points(self) -> list[Point]:
        return self._device.points()

    async def run(self) -> NoReturn:
        await self._device.run()

    def reading(self) -> Reading[MeterReading]:
        """As last read; `at_ms` is the oldest of the registers' instants. No I/O.

        Of a meter that tells its serial number: as read last while it was known whose number that is. After a break
        another meter may be in its place, which must not be billed as this one.
        """
        if self._device.profile.gives.serial is None or self._device.ready:
            self._known = self._reading()
        elif self._known.quality is Quality.GOOD:
            self._known = replace(self._known, quality=Quality.STALE)
        return self._known

    def _reading(self) -> Reading[MeterReading]:
        device, now = self._device, now_ms()
        names = device.present(device.profile.gives.register)
        seen = [device.seen[name] for name in names]
        register = _sum(one.value for one in seen)
        if register is None or register < 0 or any(one.at_ms is None for one in seen):
            return Reading(None, Quality.NONE, min((one.at_ms for one in seen if one.at_ms is not None), default=None))
        at_ms = min(one.at_ms for one in seen if one.at_ms is not None)
        old = any(device.is_old(name, at_ms, now) for name in names)
        power = _sum(device.value(name, now) for name in device.present(device.profile.gives.power))
        value = MeterReading(floor(register), None if power is None else round(power), self._serial())
        return Reading(value, Quality.STALE if old else Quality.GOOD, at_ms)

    async def read_now(self) -> Reading[MeterReading]:
        """Ask at command priority. Quality NONE: it answered that it does not know. Raises DeviceError."""
        device, gives = self._device, self._device.profile.gives
        doubtful = gives.serial is not None or any(device.profile.points[name].when for name in gives.register)
        if not device.ready and doubtful:
            raise Transient("it is not set up yet, so which meter it is is not known", where=device.client.where)
        registers = device.present(gives.register)
        if not registers:
            raise Unsupported("this model or firmware has no register of its energy", where=device.client.where)
        for pause_s in PAUSES_S:
            await asyncio.sleep(pause_s)
            answered = await device.fetch((*registers, *gives.power), Priority.COMMAND)
            if answered.issuperset(registers):
                return self.reading()
        if refused := [error for name in registers if (error := device.seen[name].error) is not None]:
            raise Unsupported(refused[0], where=device.client.where)
        raise Transient("the register is not available just now", where=device.client.where)

    def _serial(self) -> str | None:
        """Its number by its own word; None where it tells none."""
        name = self._device.profile.gives.serial
        value = None if name is None else self._device.seen[name].value
        return None if value is None else render(value)


def _sum(values: Iterable[object]) -> Fraction | int | None:
    """The sum, or None when there is nothing or anything is unknown."""
    found = list(values)
    known = [value for value in found if isinstance(value, int | Fraction)]
    return sum(known, Fraction(0)) if known and len(known) == len(found) else None


def _step_wh(text: str, type: str) -> int:  # noqa: A002
    """Whole Wh in one step of a register; 1 where a float names no resolution."""
    return 1 if type in ("f32", "f64") and text.rpartition(" ")[0] == "" else max(1, ceil(quantity(text).amount))
