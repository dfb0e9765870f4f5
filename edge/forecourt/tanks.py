"""The tanks of a site: their gauges watched, dips and deliveries taken in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from drivers.api import Quality
from drivers.errors import DeviceError
from drivers.gauge import TankGauge, TankReading
from edge.clock import Clock
from edge.desk import Desk
from edge.journal.errors import JournalFull
from edge.till.fill import tank_rules
from edge.till.fill.tank_rules import Rest, TankLimits
from edge.till.state import Tank
from protocols.trade.records import Draft
from protocols.trade.records_fuel import FuelReceived, TankDipped

LOOK_S = 60.0
"""How often gauges are compared with the limits; what they show changes slowly."""

log = structlog.get_logger()


class TankRefused(Exception):
    """It is not booked, and `what` says why, with its numbers."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Tanks:
    """What the daemon can be asked of its tanks."""

    def __init__(
        self, desk: Desk, clock: Clock, limits: Mapping[str, TankLimits], gauges: Mapping[str, TankGauge]
    ) -> None:
        """Both by the tank's id; a tank without a gauge is dipped by a person."""
        self.limits = limits
        self.gauges = gauges
        self._desk = desk
        self._clock = clock
        self._told: dict[str, frozenset[str]] = {}
        self._rest: dict[str, Rest | None] = {}

    def book(self, name: str) -> Tank | None:
        """What the log says of it; None: nothing yet."""
        return self._desk.state.forecourt.tanks.get(name)

    def seen(self, name: str) -> TankReading | None:
        """What its gauge showed last, the volume reckoned from the level where it tells none; None: it has no gauge,
        or that has been silent for long.
        """
        gauge = self.gauges.get(name)
        reading = None if gauge is None else gauge.reading()
        if reading is None or reading.value is None or reading.quality is not Quality.GOOD:
            return None
        return self._with_volume(name, reading.value)

    async def dip(
        self,
        name: str,
        by: str,
        volume_ml: int,
        *,
        level_mm: int | None = None,
        water_mm: int | None = None,
        temp_dc: int | None = None,
        source: str = "person",
    ) -> TankDipped:
        """Book what stands in the tank. Raises TankRefused, JournalFull."""
        limits = self._known(name)
        refused = tank_rules.dip_refused(limits, volume_ml)
        if refused is not None:
            raise TankRefused(refused)
        now = self._clock.stamp()
        body = TankDipped(
            name, limits.grade, volume_ml, level_mm, water_mm, temp_dc, source, by, now.mono_ms, now.wall_ms
        )
        await self._desk.record([Draft(body)])
        return body

    async def dip_by_gauge(self, name: str, by: str) -> TankDipped:
        """The same, as its gauge shows now. Raises TankRefused, DeviceError, JournalFull."""
        self._known(name)
        gauge = self.gauges.get(name)
        if gauge is None:
            raise TankRefused(f"tank {name} has no gauge: give the litres")
        reading = await gauge.read_now()
        value = None if reading.value is None else self._with_volume(name, reading.value)
        if value is None or value.volume_ml is None:
            raise TankRefused(f"the gauge {gauge.id} tells no volume, and its level is not in the strapping table")
        return await self.dip(
            name, by, value.volume_ml,
            level_mm=value.level_mm, water_mm=value.water_mm, temp_dc=value.temp_dc, source="gauge",
        )  # fmt: skip

    async def dip_all(self) -> None:
        """Every gauge that answers, as at a day close."""
        for name in self.gauges:
            try:
                await self.dip_by_gauge(name, "")
            except (DeviceError, TankRefused) as error:
                log.warning("no dip of this tank", tank=name, error=str(error))

    async def receive(self, name: str, grade: str, volume_ml: int, note: str, by: str) -> FuelReceived:
        """Book a delivery. Raises TankRefused, JournalFull."""
        limits = self._known(name)
        if grade and grade != limits.grade:
            raise TankRefused(f"tank {name} holds {limits.grade}, not {grade}")
        refused = tank_rules.delivery_refused(limits, self.book(name), volume_ml, note)
        if refused is not None:
            raise TankRefused(refused)
        body = FuelReceived(name, limits.grade, volume_ml, note, by)
        await self._desk.record([Draft(body)])
        self._rest[name] = None
        return body

    async def run(self) -> None:
        """Compare gauges with limits, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except JournalFull as error:
                log.error("nothing could be saved", error=str(error), remedy=error.remedy)

    async def look(self) -> None:
        """One comparison of every gauge with its tank's limits. Raises JournalFull."""
        for name, limits in self.limits.items():
            seen = self.seen(name)
            if seen is None or seen.volume_ml is None or self._desk.state.closed:
                continue
            drafts, stand = tank_rules.alarms(limits, seen.volume_ml, seen.water_mm, self._told.get(name, frozenset()))
            book = self.book(name)
            still = not self._desk.state.forecourt.fillings
            flow = Tank(limits.grade).flow if book is None else book.flow
            rest, leaks = tank_rules.leak(limits, self._rest.get(name), seen.volume_ml, flow, still=still)
            await self._desk.record([*drafts, *leaks])
            self._told[name], self._rest[name] = stand, rest

    def _known(self, name: str) -> TankLimits:
        if name not in self.limits:
            raise TankRefused(f"no tank {name}: expected one of {', '.join(sorted(self.limits)) or '(none)'}")
        return self.limits[name]

    def _with_volume(self, name: str, reading: TankReading) -> TankReading:
        if reading.volume_ml is not None or reading.level_mm is None:
            return reading
        volume_ml = tank_rules.volume_at(self.limits[name].strapping, reading.level_mm)
        return TankReading(volume_ml, reading.level_mm, reading.water_mm, reading.temp_dc)
