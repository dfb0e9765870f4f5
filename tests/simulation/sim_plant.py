"""What happens at a charging place: car, relay and meter in exact whole numbers, and the drivers that talk to them.

`Stand` is the physical place. It outlives every daemon, and its energy is the truth that bills are held against.
`StandCharger` and `StandMeter` are what one daemon knows of it: they implement `drivers.api` in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from drivers.api import (
    ChargerLimits,
    ChargerStatus,
    Iec61851,
    Link,
    LinkState,
    MeterReading,
    MeterTraits,
    Point,
    Quality,
    Reading,
)
from drivers.errors import Silent

WH = 3_600_000
"""A watt-hour in watt-milliseconds, the unit in which energy is exact."""
POLL_S = 1.5
ANSWER_S = (0.02, 0.4)
BUSY_S = (0.4, 3.0)
"""A line that has to try others first."""
TIMEOUT_S = 1.0


@dataclass
class Stand:
    """One place. energy: all that ever flowed, in W·ms. flows: (from_ms, to_ms, W·ms), the newest last.

    fault: until when (virtual ms) the charger or meter does not answer; a stuck relay does not open.
    excused: a physical fault has touched the session that is here, so that an overrun is nobody's mistake.
    """

    name: str
    meter_id: str
    power_w_max: int
    failsafe_s: int | None
    now_ms: Callable[[], int]
    base_wh: int
    powered: bool = True
    plugged: bool = False
    car_power_w: int = 0
    car_need: int = 0
    relay: bool = False
    stuck: bool = False
    charger_silent: bool = False
    meter_silent: bool = False
    deaf: bool = False  # answers polls, but orders are lost on their way
    energy: int = 0
    flows: list[tuple[int, int, int]] = field(default_factory=list)
    excused: bool = False
    on_energise: Callable[[Stand], None] | None = None
    _at_ms: int = 0
    _contact_ms: int = 0

    def twin(self) -> Stand:
        """Another place with the same equipment, whose meter shows the same; nobody is there."""
        self.settle()
        twin = Stand(self.name, self.meter_id, self.power_w_max, self.failsafe_s, self.now_ms, self.base_wh)
        twin.energy, twin._at_ms, twin.flows = self.energy, self._at_ms, list(self.flows)
        return twin

    # --- physics -----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let the time since the last call have passed."""
        now_ms = self.now_ms()
        until_ms = now_ms
        if self.relay and not self.stuck and self.failsafe_s is not None:
            until_ms = min(now_ms, self._contact_ms + self.failsafe_s * 1000)
        if self.flowing and until_ms > self._at_ms:
            flow = min(self.car_power_w * (until_ms - self._at_ms), self.car_need)
            end_ms = self._at_ms + -(-flow // self.car_power_w)
            self.energy += flow
            self.car_need -= flow
            self._note(self._at_ms, end_ms, flow)
        if until_ms < now_ms:
            self.relay = False
        self._at_ms = now_ms

    def _note(self, from_ms: int, to_ms: int, flow: int) -> None:
        if self.flows and self.flows[-1][1] == from_ms and to_ms - self.flows[-1][0] <= 60_000:
            first_ms, _, before = self.flows.pop()
            self.flows.append((first_ms, to_ms, before + flow))
        else:
            self.flows.append((from_ms, to_ms, flow))

    @property
    def faulty(self) -> bool:
        """Something is physically wrong with charger or meter just now."""
        return self.stuck or self.charger_silent or self.meter_silent or self.deaf or not self.powered

    @property
    def flowing(self) -> bool:
        return self.powered and self.plugged and self.car_need > 0 and (self.relay or self.stuck)

    @property
    def register_wh(self) -> int:
        """What the meter shows now."""
        self.settle()
        return self.base_wh + self.energy // WH

    def plug(self, power_w: int, need_wh: int) -> None:
        self.settle()
        self.plugged, self.car_power_w, self.car_need = True, min(power_w, self.power_w_max), need_wh * WH

    def unplug(self) -> None:
        self.settle()
        self.plugged, self.relay, self.car_need = False, False, 0

    def power(self, on: bool) -> None:
        """The mains of the whole place. A relay without power opens; the register is kept."""
        self.settle()
        self.powered = on
        if not on:
            self.relay = False

    # --- what a line carries -----------------------------------------------------------------------------------------

    def contact(self) -> bool:
        """Somebody asks the charger. False: it does not answer."""
        self.settle()
        if not self.powered or self.charger_silent:
            return False
        self._contact_ms = self.now_ms()
        return True

    def switch(self, on: bool) -> bool:
        """An order reaches the charger. False: it does not."""
        if self.deaf or not self.contact():
            return False
        if on and self.plugged and not self.relay:
            self.relay = True
            if self.on_energise is not None:
                self.on_energise(self)
        elif not on:
            self.relay = False
        return True

    def status(self) -> ChargerStatus:
        self.settle()
        drawing = self.flowing
        iec = Iec61851.C if drawing else Iec61851.B if self.plugged else Iec61851.A
        return ChargerStatus(iec, iec.value, self.car_power_w if drawing else 0, None, None)


class _Driver:
    """What both drivers share: a poll loop, and a way to die in the middle of a conversation."""

    def __init__(self, stand: Stand, random: Random, mono_ms: Callable[[], int], die: Callable[[str], None]) -> None:
        self.stand = stand
        self.id = stand.name
        self.profile_id = "simulated"
        self._random = random
        self._mono_ms = mono_ms
        self._die = die

    async def run(self) -> None:
        while True:
            self.poll()
            await asyncio.sleep(POLL_S)

    def poll(self) -> None:
        raise NotImplementedError

    def link(self) -> Link:
        return Link(LinkState.ONLINE, 0, None, None)

    def points(self) -> list[Point]:
        return []

    async def _wait(self) -> None:
        busy = self._random.random() < 0.1
        await asyncio.sleep(self._random.uniform(*(BUSY_S if busy else ANSWER_S)))

    async def _silent(self, what: str) -> Silent:
        await asyncio.sleep(TIMEOUT_S)
        return Silent(what, where=self.stand.name)


class StandCharger(_Driver):
    """A charger as one daemon knows it."""

    def __init__(self, stand: Stand, random: Random, mono_ms: Callable[[], int], die: Callable[[str], None]) -> None:
        super().__init__(stand, random, mono_ms, die)
        self._last: Reading[ChargerStatus] = Reading(None, Quality.NONE, None)

    @property
    def limits(self) -> ChargerLimits:
        return ChargerLimits(6_000, 250_000, self.stand.power_w_max, self.stand.failsafe_s)

    def status(self) -> Reading[ChargerStatus]:
        return self._last

    def poll(self) -> None:
        if self.stand.contact():
            self._last = Reading(self.stand.status(), Quality.GOOD, self._mono_ms())

    async def allow(self, current_ma: int) -> None:
        await self._order(True)

    async def stop(self) -> None:
        await self._order(False)

    async def _order(self, on: bool) -> None:
        await self._wait()
        heard = self.stand.switch(on)
        self._die("after an order to a charger")
        if not heard:
            raise await self._silent("no answer to an order")
        if self._random.random() < 0.02:  # it did as told, and its answer was lost
            raise await self._silent("the answer was lost")


class StandMeter(_Driver):
    """A meter as one daemon knows it."""

    def __init__(self, stand: Stand, random: Random, mono_ms: Callable[[], int], die: Callable[[str], None]) -> None:
        super().__init__(stand, random, mono_ms, die)
        self._last: Reading[MeterReading] = Reading(None, Quality.NONE, None)

    @property
    def traits(self) -> MeterTraits:
        return MeterTraits(billing_grade=True, resolution_wh=1, register_wh_max=None, power_w_max=None)

    def reading(self) -> Reading[MeterReading]:
        return self._last

    def poll(self) -> None:
        if self.stand.powered and not self.stand.meter_silent:
            register_wh = self.stand.register_wh
            power_w = self.stand.car_power_w if self.stand.flowing else 0
            self._last = Reading(MeterReading(register_wh, power_w), Quality.GOOD, self._mono_ms())

    async def read_now(self) -> Reading[MeterReading]:
        await self._wait()
        if not self.stand.powered or self.stand.meter_silent:
            raise await self._silent("no register")
        self.poll()
        return self._last
