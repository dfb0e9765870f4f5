"""Every shipped profile as a twin, read back over a real wire by the profile's own plan, codecs and rules."""

from __future__ import annotations

from fractions import Fraction

import pytest

from drivers.profile import Profile, quantity
from drivers.profile_load import load
from drivers.twins.car import UJ_PER_WH, Car
from drivers.twins.config import PROFILES, DeviceConfig, LineConfig, OutletConfig, SiteConfig
from drivers.twins.faults import Fault, FaultKind
from drivers.twins.site import TwinSite
from protocols.fieldbus.modbus import Answer, ReadRegisters, Refused, Space, WriteRegisters

from .gateway import Gateway, state_of

SHIPPED = sorted(path.stem for path in PROFILES.glob("*.toml"))
CHARGERS = [name for name in SHIPPED if load(PROFILES / f"{name}.toml").device.kind == "charger"]
SECOND = 1_000_000


def fails_safe(name: str) -> bool:
    keepalive = load(PROFILES / f"{name}.toml").keepalive
    return keepalive is not None and keepalive.deadline_s is not None and keepalive.then in ("stop", "fault")


FAIL_SAFE = [name for name in CHARGERS if fails_safe(name)]


class Clock:
    """Microseconds that pass only when told."""

    def __init__(self) -> None:
        self.now_us = 1_000_000_000

    def __call__(self) -> int:
        return self.now_us

    def tick(self, seconds: int) -> None:
        self.now_us += seconds * SECOND


def site_of(name: str, clock: Clock, *, limit_ma: int = 0, car: Car | None = None) -> tuple[TwinSite, Profile]:
    profile = load(PROFILES / f"{name}.toml")
    config = SiteConfig(
        line=(LineConfig(id="line", kind="tcp"),),
        outlet=(OutletConfig(id="c1", limit_ma=limit_ma, car=car),),
        device=(DeviceConfig(id="d", line="line", profile=name, outlet="c1", register_start_wh=123_456),),
    )
    return TwinSite(config, clock=clock), profile


@pytest.mark.parametrize("name", SHIPPED)
async def test_every_profile_reads_back_what_physics_says(name: str) -> None:
    """Register, power and current, read by the profile's plan, differ from the truth by less than a step."""
    clock = Clock()
    site, profile = site_of(name, clock, limit_ma=16_000, car=Car())
    async with site, Gateway(site.port("line")) as gateway:
        twin, outlet = site.device("d"), site.outlet("c1").outlet
        if profile.device.kind == "charger":
            await gateway.command(twin.unit, profile, "start", 16, twin.panel.fixed)
        clock.tick(10)
        values = await gateway.read_all(twin.unit, profile)
        gives = profile.gives
        truth_wh = Fraction(twin.totalizer.register_uj, UJ_PER_WH)
        registers = [values[n] for n in gives.register if values.get(n) is not None]
        if registers:
            point = profile.points[next(n for n in gives.register if n in values)]
            step = max(point.quantum.amount, quantity(point.resolution or "1 Wh").amount)
            told_wh = sum((Fraction(value) for value in registers if value is not None), Fraction(0))
            assert 0 <= truth_wh - told_wh < step
        if any(n in values for n in gives.power):
            power = sum((Fraction(values[n] or 0) for n in gives.power if n in values), Fraction(0))
            assert abs(power - outlet.power_w) <= max(profile.points[n].quantum.amount for n in gives.power) + 3
        currents = [Fraction(values[n] or 0) for n in gives.current if n in values]
        if currents:
            assert abs(max(currents) - Fraction(max(outlet.currents_ma), 1000)) < Fraction(1, 8)
        assert outlet.power_w == 11_000


@pytest.mark.parametrize("name", CHARGERS)
async def test_every_charger_obeys_its_own_commands(name: str) -> None:
    """A, B, C and B again are read through the profile's rules as start, limit and stop are written."""
    clock = Clock()
    site, profile = site_of(name, clock)
    async with site, Gateway(site.port("line")) as gateway:
        twin, place = site.device("d"), site.outlet("c1")

        async def seen() -> str:
            return state_of(profile, await gateway.read_all(twin.unit, profile))

        assert await seen() == "A"
        place.plug(Car(power_w_max=22_000))
        assert await seen() == "B"
        await gateway.command(twin.unit, profile, "start", 10, twin.panel.fixed)
        assert (await seen(), place.power_w) == ("C", 6_900)
        assert profile.command is not None
        limit = "set_limit" if profile.command.set_limit else "start"
        await gateway.command(twin.unit, profile, limit, 8, twin.panel.fixed)
        assert (await seen(), place.power_w) == ("C", 5_520)
        clock.tick(5)
        await gateway.command(twin.unit, profile, "stop", 0, twin.panel.fixed)
        assert (await seen(), place.power_w) == ("B", 0)
        assert place.delivered_uj == 5_520 * 5 * SECOND
        await gateway.command(twin.unit, profile, "start", 10, twin.panel.fixed)
        assert await seen() == "C"
        place.unplug()
        assert await seen() == "A"
        twin.fault(Fault(FaultKind.ILL))
        assert await seen() == "F"


@pytest.mark.parametrize("name", FAIL_SAFE)
async def test_a_charger_that_is_left_alone_fails_safe_at_the_instant(name: str) -> None:
    """Where the profile says that silence ends delivery, exactly the deadline's energy flows, whoever looks first."""
    clock = Clock()
    site, profile = site_of(name, clock, car=Car())
    assert profile.keepalive is not None
    deadline_s = profile.keepalive.deadline_s or 0
    async with site, Gateway(site.port("line")) as gateway:
        twin, place = site.device("d"), site.outlet("c1")
        await gateway.command(twin.unit, profile, "start", 16, twin.panel.fixed)
        clock.tick(deadline_s + 600)
        assert place.delivered_uj == 11_000 * deadline_s * SECOND
        assert twin.state()["failed_safe"] is True


async def test_a_power_cut_forgets_the_limit() -> None:
    """Dark, then silent no more, with the limit at its default and the relay open; the totals go on."""
    clock = Clock()
    site, profile = site_of("heidelberg-energy-control", clock, car=Car())
    async with site, Gateway(site.port("line")) as gateway:
        twin, place = site.device("d"), site.outlet("c1")
        await gateway.command(1, profile, "start", 16, twin.panel.fixed)
        clock.tick(5)
        twin.fault(Fault(FaultKind.POWER_CUT, amount=3_000))
        assert await gateway.ask(1, ReadRegisters(Space.INPUT, 5, 1), timeout_s=0.1) is None
        clock.tick(4)
        values = await gateway.read_all(1, profile)
        assert (state_of(profile, values), values["limit"], place.power_w) == ("B", 0, 0)
        assert place.delivered_uj == 11_000 * 5 * SECOND
        await gateway.command(1, profile, "start", 16, twin.panel.fixed)
        assert place.power_w == 11_000


async def test_a_stuck_relay_shows_only_in_the_meter() -> None:
    """After stop the charger says B, and the meter goes on counting."""
    clock = Clock()
    site, profile = site_of("heidelberg-energy-control", clock, car=Car())
    async with site, Gateway(site.port("line")) as gateway:
        twin, place = site.device("d"), site.outlet("c1")
        await gateway.command(1, profile, "start", 16, twin.panel.fixed)
        twin.fault(Fault(FaultKind.STUCK_RELAY))
        await gateway.command(1, profile, "stop", 0, twin.panel.fixed)
        clock.tick(10)
        assert state_of(profile, await gateway.read_all(1, profile)) == "B"
        assert place.delivered_uj == 11_000 * 10 * SECOND
        twin.clear(FaultKind.STUCK_RELAY)
        assert place.power_w == 0


@pytest.mark.parametrize(
    ("fault", "after_wh"),
    [
        (Fault(FaultKind.METER_RESET), 0),
        (Fault(FaultKind.METER_JUMP, amount=5_000), 128_456),
        (Fault(FaultKind.METER_BACKWARDS, amount=3_456), 120_000),
    ],
    ids=lambda value: str(getattr(value, "kind", "")),
)
async def test_a_meter_goes_wrong_at_once(fault: Fault, after_wh: int) -> None:
    """Reset, jump and backwards show in the next reading of the register."""
    site, profile = site_of("schneider-iem3155", Clock())
    async with site, Gateway(site.port("line")) as gateway:
        assert (await gateway.read_all(1, profile))["energy_import"] == 123_456
        site.device("d").fault(fault)
        assert (await gateway.read_all(1, profile))["energy_import"] == after_wh


async def test_a_meter_wraps() -> None:
    """Just below its largest value, the register goes on at 0."""
    clock = Clock()
    site, profile = site_of("orno-we-514", clock, limit_ma=16_000, car=Car())
    async with site, Gateway(site.port("line")) as gateway:
        twin = site.device("d")
        twin.fault(Fault(FaultKind.METER_WRAP, amount=10))
        before = (await gateway.read_all(1, profile))["energy_import"]
        clock.tick(60)
        after = (await gateway.read_all(1, profile))["energy_import"]
        assert isinstance(before, int | Fraction)
        assert before > 1_000_000
        assert after == 11_000 * 60 // 3600 - 10 - 3  # floor to the 10 Wh that it shows


async def test_a_frozen_meter_catches_up() -> None:
    """The register stands while energy flows, and tells all of it once free."""
    clock = Clock()
    site, profile = site_of("schneider-iem3155", clock, limit_ma=16_000, car=Car())
    async with site, Gateway(site.port("line")) as gateway:
        site.device("d").fault(Fault(FaultKind.METER_FROZEN))
        clock.tick(36)
        assert (await gateway.read_all(1, profile))["energy_import"] == 123_456
        site.device("d").clear()
        assert (await gateway.read_all(1, profile))["energy_import"] == 123_456 + 110


async def test_a_twin_is_as_strict_as_its_profile() -> None:
    """Holes, oversized reads, read-only registers and unknown functions are refused with the code a device gives."""
    site, _ = site_of("keba-p30", Clock())
    async with site, Gateway(site.port("line")) as gateway:
        unit = site.device("d").unit
        read = ReadRegisters
        assert await gateway.ask(unit, read(Space.HOLDING, 1000, 4)) == Refused(2)  # KEBA: one value per read
        assert await gateway.ask(unit, read(Space.HOLDING, 1000, 125)) == Refused(3)
        assert await gateway.ask(unit, read(Space.HOLDING, 1002, 2)) == Refused(2)
        assert await gateway.ask(unit, WriteRegisters(1000, (1,), single=True)) == Refused(2)
        assert await gateway.ask(unit, read(Space.INPUT, 1000, 2)) == Refused(1)
        assert isinstance(await gateway.ask(unit, read(Space.HOLDING, 1000, 2)), Answer)


def test_values_of_unknown_points_are_refused() -> None:
    """A fixed value for a point that the profile lacks is a mistake in the experiment."""
    config = SiteConfig(
        line=(LineConfig(id="l"),),
        outlet=(OutletConfig(id="c1"),),
        device=(DeviceConfig(id="d", line="l", profile="keba-p30", outlet="c1", values={"firmwear": 1}),),
    )
    with pytest.raises(ValueError, match="firmwear"):
        TwinSite(config)
