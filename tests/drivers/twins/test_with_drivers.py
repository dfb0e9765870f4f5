"""The daemon's own drivers against twins: what they bring must be what physics says, for every shipped product."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from fractions import Fraction

import pytest

from drivers.api import Charger, Iec61851, LinkState, Meter, Quality
from drivers.errors import Transient
from drivers.line import Line
from drivers.line_config import LineConfig
from drivers.modbus_charger import ModbusCharger
from drivers.modbus_meter import ModbusMeter
from drivers.profile_load import load
from drivers.registry import DeviceConfig, build_device
from drivers.twins import config as twins
from drivers.twins.car import UJ_PER_WH, Car
from drivers.twins.faults import Fault, FaultKind
from drivers.twins.site import TwinSite

SHIPPED = sorted(path.stem for path in twins.PROFILES.glob("*.toml"))
KIND = {name: load(twins.PROFILES / f"{name}.toml").device.kind for name in SHIPPED}
# The products' own patience is for real sites; a test asks the same in a hurry.
HURRY: dict[str, int | str | bool] = {
    "command.gap_ms": 0, "limits.pause_ms": 0, "limits.poll_ms_min": 0, "limits.write_pause_ms": 0,
    "polling.fast_ms": 100, "polling.slow_ms": 300,
}  # fmt: skip


@asynccontextmanager
async def rig(name: str) -> AsyncIterator[tuple[TwinSite, Charger | Meter]]:
    """One twin, on TCP where the product knows it, and its driver running."""
    profile = load(twins.PROFILES / f"{name}.toml")
    tcp = profile.link.tcp is not None
    line = twins.LineConfig(id="line", kind="tcp" if tcp else "rtu", baud=115_200)
    device = twins.DeviceConfig(id="d", line="line", profile=name, outlet="c1", register_start_wh=123_456)
    outlet = twins.OutletConfig(id="c1", limit_ma=16_000, car=Car(power_w_max=22_000))
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(
            TwinSite(twins.SiteConfig(line=(line,), outlet=(outlet,), device=(device,)))
        )
        host, _, port = site.port("line").rpartition(":")
        where = LineConfig(id="line", host=host, port=int(port)) if tcp else serial(site.port("line"))
        bus = await stack.enter_async_context(Line(where))
        hurry = {key: value for key, value in HURRY.items() if not key.startswith("command") or KIND[name] == "charger"}
        driver = build_device(DeviceConfig(id="d", line="line", profile=name, overrides=hurry), bus)
        running = asyncio.create_task(driver.run())
        try:
            yield site, driver
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def charger_rig(name: str) -> AsyncIterator[tuple[TwinSite, ModbusCharger]]:
    async with rig(name) as (site, driver):
        assert isinstance(driver, ModbusCharger)
        yield site, driver


@asynccontextmanager
async def meter_rig(name: str) -> AsyncIterator[tuple[TwinSite, ModbusMeter]]:
    async with rig(name) as (site, driver):
        assert isinstance(driver, ModbusMeter)
        yield site, driver


def serial(path: str) -> LineConfig:
    return LineConfig(id="line", path=path, baud=115_200)


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for it; how long is not what is tested."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never: {what}")


@pytest.mark.parametrize("name", [name for name in SHIPPED if KIND[name] == "charger"])
async def test_a_driver_starts_and_stops_a_twin(name: str) -> None:
    """B, allowed 10 A -> C at 6.9 kW, stopped -> B at 0 W: in the outlet and in what the driver says."""
    async with charger_rig(name) as (site, charger):
        place = site.outlet("c1")

        def says(iec: Iec61851) -> bool:
            status = charger.status().value
            return status is not None and status.iec is iec

        await until(lambda: says(Iec61851.B), "B")
        await charger.allow(10_000)
        await until(lambda: place.power_w == 6_900, "6.9 kW")
        await until(lambda: says(Iec61851.C), "C")
        await charger.stop()
        await until(lambda: place.power_w == 0, "0 W")
        await until(lambda: says(Iec61851.B), "B again")
        assert charger.link().state is LinkState.ONLINE


@pytest.mark.parametrize("name", [name for name in SHIPPED if KIND[name] == "meter"])
async def test_a_driver_reads_a_meter_twin(name: str) -> None:
    """The register, down to the meter's own step, and the power of 16 A on three phases."""
    async with meter_rig(name) as (site, meter):
        await until(lambda: meter.reading().quality is Quality.GOOD, "a reading")
        before_wh = Fraction(site.device("d").totalizer.register_uj, UJ_PER_WH)
        reading = (await meter.read_now()).value
        site.device("d").refresh()
        after_wh = Fraction(site.device("d").totalizer.register_uj, UJ_PER_WH)
        assert reading is not None
        step_wh = meter.traits.resolution_wh
        assert before_wh - step_wh - 1 <= reading.register_wh <= after_wh
        assert reading.power_w is not None
        assert abs(reading.power_w - 11_040) <= 10


async def test_a_brown_out_is_seen_in_the_limit_read_back() -> None:
    """The twin forgets its limit in a dark too short for the line to notice; allowing again repeats it, once seen."""
    async with charger_rig("heidelberg-energy-control") as (site, charger):
        place = site.outlet("c1")
        await until(lambda: charger.status().value is not None, "a status")
        await charger.allow(10_000)
        await until(lambda: place.power_w == 6_900, "6.9 kW")
        site.device("d").fault(Fault(FaultKind.POWER_CUT, amount=200))
        assert place.power_w == 0
        for _ in range(1000):
            if place.power_w == 6_900:
                break
            with suppress(Transient):
                await charger.allow(10_000)
            await asyncio.sleep(0.01)
        assert place.power_w == 6_900
