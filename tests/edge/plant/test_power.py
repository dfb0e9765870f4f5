"""A site's power shared among real drives: set-points become amperes, and a silent meter takes them back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import ChargerLimits, MeterReading, Quality, Reading
from edge.plant import drive as drives
from edge.plant.budget import SETTLE_MS, Budget
from edge.plant.drive import Drive
from edge.plant.power import Car, Power, car_load, limit_of
from tests.edge.desk_rig import Bay, until

BUDGET = Budget(limit_w=9_000)


@given(
    power_w_max=st.integers(1_000, 50_000),
    current_ma_min=st.sampled_from([5_000, 6_000]),
    amperes=st.integers(1, 60),
    room_w=st.integers(0, 60_000),
)
def test_a_set_point_is_whole_amperes_and_never_says_less_than_flows(
    power_w_max: int, current_ma_min: int, amperes: int, room_w: int
) -> None:
    """For any charger and any room: what flows at the current that is told is at most the set-point."""
    limits = ChargerLimits(current_ma_min, current_ma_min + amperes * 1_000, power_w_max, None)
    load = car_load("c1", limits, BUDGET)
    set_w = load.down_to_step(room_w)
    current_ma = limit_of(limits, set_w)
    assert (current_ma == 0) == (set_w == 0)
    assert current_ma % 1_000 == 0
    assert current_ma * power_w_max <= set_w * limits.current_ma_max
    assert limit_of(limits, load.most_w) == limits.current_ma_max


class MainMeter(Bay):
    """The connection's meter."""

    def __init__(self) -> None:
        super().__init__("main")
        self.power_w = 0
        self.at_ms = now_ms()

    def reading(self) -> Reading[MeterReading]:
        return Reading(MeterReading(1, self.power_w), Quality.GOOD, self.at_ms)


class Place(Bay):
    """A charger that does as it is told at once, and remembers the limit."""

    limits = ChargerLimits(6_000, 32_000, 7_360, 10)
    limit_ma = 0

    async def allow(self, current_ma: int) -> None:
        await super().allow(current_ma)
        self.limit_ma = current_ma

    async def stop(self) -> None:
        await super().stop()
        self.limit_ma = 0

    def reading(self) -> Reading[MeterReading]:
        return Reading(MeterReading(1, self.limit_ma * 230 // 1_000), Quality.GOOD, now_ms())


class Yard:
    """Two places within one budget."""

    def __init__(self, budget: Budget, meter: MainMeter | None = None) -> None:
        self.power = Power(budget, meter)
        self.places = {name: Place(name) for name in ("c1", "c2")}
        self.wanted: set[str] = set()
        self.drives: dict[str, Drive] = {}
        self.ahead_ms = 0
        for name, place in self.places.items():
            drive = Drive(name, place, partial(self._wants, name), partial(self.power.limit_ma, name))
            self.drives[name] = drive
            self.power.add_car(name, Car(place, place, drive))

    def _wants(self, name: str) -> bool:
        return name in self.wanted

    async def settle(self) -> dict[str, int]:
        """Several looks, with the time between them that cars need; the drives follow. What each was told, in mA."""
        for _ in range(4):
            self.ahead_ms += 3 * SETTLE_MS
            self.power.tick(now_ms() + self.ahead_ms)
            for drive in self.drives.values():
                drive.wake()
            await asyncio.sleep(0.03)
        return {name: place.limit_ma for name, place in self.places.items()}


@asynccontextmanager
async def a_yard(budget: Budget, meter: MainMeter | None = None) -> AsyncIterator[Yard]:
    yard = Yard(budget, meter)
    running = [asyncio.create_task(drive.run()) for drive in yard.drives.values()]
    await until(lambda: all("stop" in place.asked for place in yard.places.values()))
    try:
        yield yard
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drives, "LOOK_S", 0.01)


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


async def test_one_car_has_all_and_two_share() -> None:
    """9 kW: 32 A for one, and as the second one comes, each gets half of it in whole amperes."""
    async with a_yard(BUDGET) as yard:
        yard.wanted = {"c1"}
        assert await until_told(yard, {"c1": 32_000, "c2": 0})
        yard.wanted = {"c1", "c2"}
        assert await until_told(yard, {"c1": 19_000, "c2": 20_000})
        yard.wanted = {"c2"}
        assert await until_told(yard, {"c1": 0, "c2": 32_000})


async def test_a_car_that_has_to_wait_is_paused_not_forgotten() -> None:
    """The till sees why it draws nothing."""
    async with a_yard(Budget(limit_w=1_500)) as yard:
        yard.wanted = {"c1", "c2"}
        told = {}
        for _ in range(5):
            told = await yard.settle()
            if any(told.values()):
                break
        waiting = next(name for name, limit_ma in told.items() if not limit_ma)
        assert yard.drives[waiting].paused
        assert not yard.drives[next(name for name in told if name != waiting)].paused


async def test_a_silent_meter_stops_what_nobody_allowed_blindly() -> None:
    """With the connection's meter gone, cars have what `blind_w` leaves them: here nothing."""
    meter = MainMeter()
    async with a_yard(Budget(limit_w=9_000, meter="main"), meter) as yard:
        yard.wanted = {"c1"}
        for _ in range(3):
            yard.power.tick(now_ms() + 3 * SETTLE_MS)
            meter.at_ms = now_ms() + 3 * SETTLE_MS
        yard.power.tick(now_ms() + 4 * SETTLE_MS)
        meter.at_ms = now_ms() - 60_000
        assert await until_told(yard, {"c1": 0, "c2": 0})


async def test_what_others_draw_is_left_to_them() -> None:
    """A kitchen of 5 kW behind the same connection leaves 4 kW."""
    meter = MainMeter()
    yard = Yard(Budget(limit_w=9_000, meter="main"), meter)
    meter.power_w = 5_000
    assert yard.power.available_w(now_ms()) == 4_000
    yard.places["c1"].limit_ma = 16_000
    meter.power_w = 5_000 + 16 * 230
    assert yard.power.available_w(now_ms()) == 4_000


async def until_told(yard: Yard, told: dict[str, int]) -> bool:
    """Whether the places come to be told this."""
    for _ in range(8):
        if await yard.settle() == told:
            return True
    return False
