"""Chargers by profile against twins of the products, over real ptys and TCP."""

from __future__ import annotations

import asyncio

import pytest

from drivers.api import Charger, ChargerLimits, Iec61851, LinkState, Quality
from drivers.errors import Misconfigured, Silent, Transient
from drivers.registry import DeviceConfig, profile_ids, profile_of
from drivers.twins.faults import FaultKind
from drivers.twins.twin import monotonic_us
from tests.drivers.modbus_rig import Rig, rig

CHARGERS = [i for i in profile_ids() if profile_of(DeviceConfig(id="d", line="l", profile=i)).device.kind == "charger"]
HEIDELBERG, MENNEKES, KEBA = "heidelberg-energy-control", "mennekes-amtron-compact", "keba-p30"


async def state(rig: Rig, iec: Iec61851) -> None:
    """Wait for the charger to say so, freshly."""
    await rig.until(
        lambda: (
            (status := rig.charger.status()).quality is Quality.GOOD
            and status.value is not None
            and status.value.iec is iec
        )
    )


@pytest.mark.parametrize("profile_id", CHARGERS)
async def test_a_car_charges_when_allowed_and_stops_when_told(profile_id: str) -> None:
    """Each product: plugged is B, allowed is C at the wished current, stopped is B again."""
    async with rig(profile_id, {"command.gap_ms": 0}) as here:
        here.plug()
        await state(here, Iec61851.B)
        await here.charger.allow(10_000)
        await state(here, Iec61851.C)
        assert here.twin.state()["limit_ma"] == 10_000
        assert here.twin.state()["power_w"] == 6900
        await here.charger.stop()
        await state(here, Iec61851.B)
        assert here.twin.state()["power_w"] == 0
        assert here.charger.link().state is LinkState.ONLINE
        assert here.charger.link().error is None


def writes(rig: Rig) -> int:
    """How many requests the device has answered; polls are stopped by a long period where this is counted."""
    return rig.charger.link().counts.get("answered", 0)


SELDOM = {"polling.fast_ms": 60_000, "polling.slow_ms": 60_000, "polling.stale_ms": 120_000}


async def test_repeating_a_command_writes_nothing() -> None:
    """allow and stop are said once to the device, however often they are called."""
    async with rig(MENNEKES, {**SELDOM, "keepalive.kind": "read", "command.gap_ms": 0}) as here:
        await here.until(lambda: {p.name: p for p in here.charger.points()}["energy_total"].at_ms is not None)
        before = writes(here)
        await here.charger.allow(10_000)
        once = writes(here)
        assert once - before == 4  # limit and release, each read back
        for _ in range(5):
            await here.charger.allow(10_000)
        assert writes(here) == once
        await here.charger.allow(12_000)
        assert writes(here) == once + 2  # the limit alone, read back
        await here.charger.stop()
        await here.charger.stop()
        assert writes(here) == once + 4


async def test_a_limit_that_the_device_dropped_is_written_again() -> None:
    """A reboot too short to be missed shows in the polled limit, and the next allow repairs it."""
    async with rig(HEIDELBERG) as here:
        here.plug()
        await state(here, Iec61851.B)
        await here.charger.allow(16_000)
        await state(here, Iec61851.C)
        here.fault(FaultKind.POWER_CUT, amount=0)
        await state(here, Iec61851.B)
        await asyncio.sleep(0.3)  # the slow class shows the limit
        await here.charger.allow(16_000)
        await state(here, Iec61851.C)


@pytest.mark.parametrize("profile_id", [HEIDELBERG, KEBA, MENNEKES])
async def test_a_charger_that_begins_by_itself_is_stopped_again(profile_id: str) -> None:
    """Its own card reader lets a car charge after our stop, and no register shows it: the next stop is written."""
    async with rig(profile_id, {"command.gap_ms": 0}) as here:
        here.plug()
        await state(here, Iec61851.B)
        await here.charger.stop()
        here.site.outlet("o").outlet.allow(16_000, monotonic_us())
        await state(here, Iec61851.C)
        await here.charger.stop()
        await state(here, Iec61851.B)
        assert here.twin.state()["power_w"] == 0


async def test_evcc_5060_what_was_set_up_and_commanded_is_said_again_at_return() -> None:
    """Heidelberg forgets standby, watchdog and limit at power-off; nobody has to call allow again."""
    async with rig(HEIDELBERG) as here:
        here.plug()
        await state(here, Iec61851.B)
        await here.charger.allow(16_000)
        await state(here, Iec61851.C)
        here.fault(FaultKind.POWER_CUT, amount=4500)
        await here.until(lambda: here.charger.link().state is LinkState.OFFLINE)
        with pytest.raises(Silent):
            await here.charger.allow(12_000)
        await state(here, Iec61851.C)
        assert here.twin.state()["limit_ma"] == 12_000


async def test_silence_makes_the_status_stale_and_never_younger() -> None:
    """The last status keeps its instant and says that it is old."""
    async with rig(HEIDELBERG) as here:
        await state(here, Iec61851.A)
        here.fault(FaultKind.DEAD)
        await here.until(lambda: here.charger.status().quality is Quality.STALE)
        await asyncio.sleep(0.3)
        first = here.charger.status()
        await asyncio.sleep(0.1)
        assert here.charger.status() == first
        assert first.value is not None
        assert first.value.current_ma is None, "an old current is not known"


async def test_a_command_before_the_first_answer_is_refused_but_remembered() -> None:
    """KEBA's sequence depends on its model: it is not guessed, and follows once the model is known."""
    async with rig(KEBA) as here:
        here.plug()
        with pytest.raises(Transient):
            await here.charger.allow(10_000)
        await state(here, Iec61851.C)
        assert here.twin.state()["limit_ma"] == 10_000


async def test_stop_overtakes_a_limit_that_waits_for_its_turn() -> None:
    """Mennekes bears a new limit every 5 s only; stop does not wait for that, and the waiting limit is dropped."""
    async with rig(MENNEKES) as here:
        here.plug()
        await state(here, Iec61851.B)
        await here.charger.allow(16_000)
        later = asyncio.create_task(here.charger.allow(10_000))
        await asyncio.sleep(0.05)
        await asyncio.wait_for(here.charger.stop(), 2)
        await later
        await state(here, Iec61851.B)
        assert here.twin.state()["power_w"] == 0


@pytest.mark.parametrize("current_ma", [0, 5_999, 16_001, -6_000])
async def test_a_current_beyond_the_limits_is_refused(current_ma: int) -> None:
    """Neither more than the box bears nor less than a car can use."""
    async with rig(HEIDELBERG) as here:
        with pytest.raises(Misconfigured, match="not within 6000 to 16000 mA"):
            await here.charger.allow(current_ma)


async def test_a_device_that_is_controlled_by_power() -> None:
    """With dimension = power the limit is in watts over all phases, rounded down to a step."""
    overrides = {
        "command.dimension": "power", "command.min": 4140, "command.max": 11040, "command.step": 100,
        "points.limit.unit": "W", "points.limit.verify": "none", "gives.limit_max": "hardware_max",
    }  # fmt: skip
    async with rig(HEIDELBERG, overrides) as here:
        assert here.charger.limits == ChargerLimits(6000, 16000, 11040, 15)
        await here.until(lambda: here.charger.status().quality is Quality.GOOD)
        await here.charger.allow(10_000)
        limit = {point.name: point for point in here.charger.points()}["limit"]
        await here.until(lambda: {p.name: p.value for p in here.charger.points()}["limit"] == "6900 W")
        assert limit.where == "holding 0x0105"


@pytest.mark.parametrize(("period_s", "power_w"), [(1, 11_040), (3600, 0)])
async def test_keep_alive_keeps_the_charger_charging(period_s: int, power_w: int) -> None:
    """A charger that stops 2 s after the last heartbeat charges on with one, and stops without."""
    twin = {"keepalive.period_s": 1, "keepalive.deadline_s": 2, "keepalive.then": "stop"}
    mine = {"keepalive.period_s": period_s, "keepalive.deadline_s": 7200}
    async with rig(MENNEKES, mine, overrides=twin) as here:
        here.plug()
        await state(here, Iec61851.B)
        await here.charger.allow(16_000)
        await asyncio.sleep(3)
        assert here.twin.state()["power_w"] == power_w


async def test_a_state_that_is_half_read_is_no_state() -> None:
    """KEBA gives one value per request: until all that decide have come, there is no status, and no F either."""
    async with rig(KEBA) as here:
        while (status := here.charger.status()).quality is Quality.NONE:
            assert status.value is None
            await asyncio.sleep(0)
        assert status.value is not None
        assert status.value.iec is Iec61851.A


def test_evcc_22262_keba_is_kept_alive_by_5018() -> None:
    """Writing 1602 kills the connection; the time-out is rewritten in 5018."""
    profile = profile_of(DeviceConfig(id="d", line="l", profile=KEBA))
    assert profile.keepalive is not None
    assert profile.keepalive.point is not None
    assert profile.points[profile.keepalive.point].addr == 5018
    assert not any(point.addr == 1602 and point.access != "r" for point in profile.points.values())


async def test_points_tell_where_they_come_from() -> None:
    """For the technician: name, value with unit or word, place, and how long it took."""
    async with rig(HEIDELBERG) as here:
        await state(here, Iec61851.A)
        points = {point.name: point for point in here.charger.points()}
        assert list(points)[:2] == ["layout", "state"]
        assert points["state"].value in ("A1 (2)", "A2 (3)")
        assert points["voltage_l1"].value == "230 V"
        assert points["voltage_l1"].where == "input 0x000a"
        assert points["voltage_l1"].quality is Quality.GOOD
        assert points["voltage_l1"].took_ms is not None
        charger: Charger = here.charger
        assert (charger.id, charger.profile_id) == ("d", HEIDELBERG)
