"""Meters by profile against twins of the products, over real ptys."""

from __future__ import annotations

import asyncio

import pytest

from drivers.api import LinkState, MeterTraits, Quality
from drivers.errors import DeviceFault, Garbled, Silent
from drivers.registry import DeviceConfig, profile_ids, profile_of
from drivers.twins.faults import FaultKind
from tests.drivers.modbus_rig import Rig, rig

METERS = [i for i in profile_ids() if profile_of(DeviceConfig(id="d", line="l", profile=i)).device.kind == "meter"]
IEM, B23, EM340, SDM = "schneider-iem3155", "abb-b23", "carlo-gavazzi-em340", "eastron-sdm630"


async def good(rig: Rig) -> None:
    await rig.until(lambda: rig.meter.reading().quality is Quality.GOOD)


@pytest.mark.parametrize("profile_id", METERS)
async def test_register_and_power(profile_id: str) -> None:
    """Each product: the register in Wh, brought down to its resolution, and the power."""
    async with rig(profile_id, register_start_wh=1_234_567) as here:
        assert here.meter.reading().quality is Quality.NONE
        await good(here)
        reading = here.meter.reading()
        assert reading.value is not None
        assert (
            reading.value.register_wh == 1_234_567 // here.meter.traits.resolution_wh * here.meter.traits.resolution_wh
        )
        here.plug()
        await here.until(lambda: (value := here.meter.reading().value) is not None and value.power_w == 11_040)


@pytest.mark.parametrize(
    ("profile_id", "traits"),
    [
        (IEM, MeterTraits(True, 1, None, 43470)),
        (EM340, MeterTraits(True, 100, None, 44850)),
        (B23, MeterTraits(True, 10, None, 44850)),
    ],
)
async def test_traits(profile_id: str, traits: MeterTraits) -> None:
    """What a till must know of a meter before it bills with it."""
    async with rig(profile_id) as here:
        assert here.meter.traits == traits


async def test_a_register_that_wraps() -> None:
    """wraps_at is the first value that it cannot show; the largest is one step below."""
    async with rig(SDM, {"points.energy_import.wraps_at": "1000000 kWh"}) as here:
        assert here.meter.traits.register_wh_max == 999_999_990


async def test_read_now_does_not_wait_for_the_next_poll() -> None:
    """A begin register is as young as the question, whatever the poll period."""
    async with rig(IEM, {"polling.fast_ms": 60_000, "polling.slow_ms": 60_000}, register_start_wh=500) as here:
        await good(here)
        before = here.meter.reading()
        await asyncio.sleep(0.05)
        here.fault(FaultKind.METER_JUMP, amount=123)
        now = await here.meter.read_now()
        assert now.value is not None
        assert now.value.register_wh == 623
        assert before.at_ms is not None
        assert now.at_ms is not None
        assert now.at_ms > before.at_ms
        assert here.meter.reading() == now


@pytest.mark.parametrize(
    ("kind", "amount", "error"),
    [(FaultKind.DEAD, None, Silent), (FaultKind.CRC, None, Garbled), (FaultKind.EXCEPTION, 4, DeviceFault)],
)
async def test_read_now_says_what_is_wrong(kind: FaultKind, amount: int | None, error: type[Exception]) -> None:
    """Silence, noise and illness are told apart, and nothing is made up."""
    async with rig(IEM) as here:
        await good(here)
        here.fault(kind, amount=amount)
        with pytest.raises(error):
            await here.meter.read_now()


async def test_silence_makes_a_reading_stale_with_its_old_instant() -> None:
    """A stale register is never stamped anew, and counts again after the return."""
    async with rig(IEM, register_start_wh=500) as here:
        await good(here)
        here.fault(FaultKind.DEAD)
        await here.until(lambda: here.meter.reading().quality is Quality.STALE)
        stale = here.meter.reading()
        await here.until(lambda: here.meter.link().state is LinkState.OFFLINE)
        assert here.meter.reading() == stale
        here.twin.clear()
        await good(here)
        assert here.meter.reading().at_ms != stale.at_ms


async def test_a_meter_that_does_not_know_gives_none_not_zero() -> None:
    """ABB B23: all ones in the register."""
    async with rig(B23) as here:
        await good(here)
        here.twin.panel.registers.put("energy_import", [0xFFFF] * 4)
        await here.until(lambda: here.meter.reading().quality is Quality.NONE)
        assert here.meter.reading().value is None


async def test_a_refused_point_is_left_out_and_the_rest_is_read() -> None:
    """A register that this batch does not have costs a few requests once, then nothing; the others are read."""
    extra = {"points.bogus": {"space": "holding", "addr": 3034, "type": "u16"}}
    async with rig(IEM, extra, register_start_wh=500) as here:
        await good(here)
        points = {point.name: point for point in here.meter.points()}
        assert points["bogus"].error is not None
        assert "exception 2" in points["bogus"].error
        assert points["voltage_l3"].quality is Quality.GOOD
        assert all(point.error is None for name, point in points.items() if name != "bogus")
        assert here.meter.link().error is None


async def test_a_merged_read_that_is_refused_is_split() -> None:
    """A batch that does not bear reading over holes: the same plan is cut until every point is read by itself."""
    async with rig(SDM, {"limits.max_gap": 16}, overrides={"limits.max_gap": 0}, register_start_wh=500_000) as here:
        await good(here)
        await here.until(lambda: all(point.quality is Quality.GOOD for point in here.meter.points()))
        assert all(point.error is None for point in here.meter.points())
        asked = here.meter.link().counts["answered"]
        await asyncio.sleep(0.3)
        assert here.meter.link().counts["answered"] > asked
        assert here.meter.link().error is None


@pytest.mark.parametrize("code", [4, 5, 6, 11])
async def test_a_device_that_is_ill_or_busy_when_first_asked(code: int) -> None:
    """An exception while it is identified costs a second try at most, not the device."""
    async with rig(B23, faults=[{"kind": "exception", "count": 1, "amount": code}], register_start_wh=500) as here:
        await good(here)
        assert here.meter.reading().value is not None


async def test_a_device_that_must_be_woken_is_asked_twice() -> None:
    """ABL eMH1 sleeps until the second request: the lost first one costs a tenth of a second and no error."""
    async with rig(IEM, {"limits.wake_twice": True}, register_start_wh=500) as here:
        await good(here)
        assert here.meter.link().error is None
        here.fault(FaultKind.DEAD, count=1)
        assert (await here.meter.read_now()).value is not None


async def test_another_meter_in_the_same_place_is_known_before_it_is_believed() -> None:
    """It answers at the same address with a register that fits: by then its own number is known to be another."""
    async with rig(B23, register_start_wh=500_000) as here:
        await good(here)
        before = here.meter.reading().value
        assert before is not None
        here.fault(FaultKind.DEAD)
        await here.until(lambda: here.meter.link().state is LinkState.OFFLINE)
        here.fault(FaultKind.METER_CHANGED, amount=4712)
        here.fault(FaultKind.METER_JUMP, amount=1_000)
        here.twin.clear(FaultKind.DEAD)

        def seen() -> tuple[str | None, int] | None:
            value = here.meter.reading().value
            return None if value is None else (value.serial, value.register_wh)

        while seen() != ("4712", 501_000):
            assert seen() != (before.serial, 501_000), "the new register under the old number"
            await asyncio.sleep(0.001)


async def test_a_dead_meter_says_what_to_look_at() -> None:
    """Its link has the error in words, with a remedy."""
    async with rig(IEM) as here:
        here.fault(FaultKind.DEAD)
        await here.until(lambda: here.meter.link().error is not None)
        assert "no answer" in str(here.meter.link().error)
        assert "A/B wiring" in str(here.meter.link().error)
