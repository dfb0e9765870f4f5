"""Sanki where things go wrong: power cuts, restarts, lost and late answers, refusals and a dead pump cost no litre."""

from __future__ import annotations

import asyncio

import one_nozzle_rig
import pytest
from one_nozzle_rig import PRICE_E3, Station, fills_litres, order, station

from drivers.errors import DeviceFault, Silent, Transient
from drivers.pump import Order, PumpState, Sale
from drivers.pumps import sanki, sanki_talk
from drivers.pumps.config import NozzleConfig, PumpConfig
from drivers.pumps.sanki import SankiPump
from drivers.twins.pumps.customer import fills
from drivers.twins.pumps.faults import PumpFaultKind as Kind
from drivers.twins.pumps.parts import Phase
from protocols.fieldbus.sanki_app import Command

HOSTED = {"host_mode": "hand"}  # a pump that needs not be told, for tests without `run`


def asked(site: Station, command: Command) -> int:
    return [request.command for request in site.twin.asked].count(command)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated pump answers within milliseconds; what it does not answer need not be waited for long."""
    monkeypatch.setitem(one_nozzle_rig.FASTER, "timeout_ms", 100)
    monkeypatch.setattr(sanki_talk, "LATE_S", 0.05)


@pytest.mark.parametrize("presets", [0, 1, 2, 3, 4])
async def test_a_restart_never_loses_the_limit(presets: int) -> None:
    """The next byte may be the one that the pump heard last: such a preset is acknowledged and not done."""
    async with station("sanki", twin=HOSTED) as site:
        for _ in range(presets):
            await site.sell(order("volume", 1_000), fills(1))
        again = _another(site)
        await again.authorise(order("volume", 2_000))
        site.bay.add(fills_litres(9))
        await site.until(PumpState.ENDED)
        assert site.pump.delivered_ul == {1: presets * 1_000_000 + 2_000_000}


# Recovery.


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("at", [Phase.AUTHORISED, Phase.DELIVERING, Phase.REACHED, Phase.IDLE])
async def test_power_cut_at_each_state(at: Phase) -> None:
    """The pump goes dark for two seconds of its time; what flowed is in its record and in its totals."""
    async with station("sanki", speed=20) as site:
        before = await site.total()
        polling = asyncio.create_task(site.driver.run())
        await site.until(PumpState.IDLE)
        if at is Phase.IDLE:
            site.fault(Kind.POWER_CUT, at=at)
            await asyncio.sleep(0.05)
        await site.until_done(lambda: _authorise(site, order("volume", 2_000)))
        if at is not Phase.IDLE:
            site.fault(Kind.POWER_CUT, at=at)
        site.bay.add(fills(1))
        await site.until_done(lambda: site.until(PumpState.ENDED, PumpState.REACHED))
        await asyncio.sleep(0.2)
        site.pump.hang_up()  # who still stands there gives up
        await site.until_done(lambda: site.until(PumpState.ENDED))
        sale = await site.until_done(site.driver.read_sale)
        after = await site.until_done(site.total)
        await site.until_done(site.driver.release)
        polling.cancel()
        assert sale is not None
        assert sale.volume_ml == site.pump.delivered_ul[1] // 10_000 * 10
        assert after.volume_ml - before.volume_ml == sale.volume_ml
        if at is not Phase.IDLE:
            assert asked(site, Command.HOST_MODE) >= 1


async def test_a_sale_that_ended_while_the_box_was_off() -> None:
    """Another driver, after the restart, sees an idle pump; record and totals tell what was sold."""
    async with station("sanki", twin=HOSTED) as site:
        before = await site.total()
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(6))
        await site.until(PumpState.ENDED)
        again = _another(site)
        status = (await again.read_status()).value
        assert status is not None
        assert status.state is PumpState.IDLE
        assert await again.read_sale() == Sale(1, 6_000, 4_710, PRICE_E3)
        assert (await again.read_totals())[1].volume_ml - before.volume_ml == 6_000


async def test_an_order_does_not_cost_a_sale_that_nobody_has_read() -> None:
    """It ended between the till's last look and its order."""
    async with station("sanki", twin=HOSTED) as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(2))
        await site.until(PumpState.ENDED)
        with pytest.raises(Transient, match="has not been read"):
            await site.driver.authorise(order("full"))
        assert await site.driver.read_sale() == Sale(1, 2_000, 1_570, PRICE_E3)
        await site.driver.authorise(order("full"))


@pytest.mark.usefixtures("impatient")
async def test_a_lost_authorisation_is_not_repeated() -> None:
    """The answer is lost: the status shows that the pump has heard, and one authorisation was sent."""
    async with station("sanki", twin=HOSTED) as site:
        site.fault(Kind.SILENT, at=Phase.AUTHORISED)
        await site.driver.authorise(order("full"))
        assert asked(site, Command.AUTHORISE) == 1
        assert site.pump.sales == 1


async def test_an_authorisation_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Done` is not believed: the pump goes on to show that it is idle."""
    monkeypatch.setattr(sanki, "SHOWS_WITHIN_S", 0.3)
    async with station("sanki", twin=HOSTED) as site:
        await site.driver.authorise(order("full"))
        await site.driver.stop()
        await site.driver.release()
        site.fault(Kind.NO_EFFECT)
        with pytest.raises(Transient, match="does not show it"):
            await site.driver.authorise(order("full"))
        assert site.pump.sales == 1


async def test_an_authorisation_that_shows_late() -> None:
    """It is waited for."""
    async with station("sanki", speed=1, twin=HOSTED) as site:
        site.fault(Kind.LATE_STATUS, amount=400)
        await site.driver.authorise(order("full"))
        assert site.pump.phase is Phase.AUTHORISED


async def test_a_refusal() -> None:
    """66 is an answer: it is not asked again."""
    async with station("sanki") as site:
        with pytest.raises(DeviceFault, match="refuses authorise"):
            await site.driver.authorise(order("full"))  # nobody has told it that it has a host
        assert asked(site, Command.AUTHORISE) == 1


async def test_a_refused_preset_is_tried_once_more() -> None:
    """After whatever stands there has been cancelled."""
    async with station("sanki", twin=HOSTED) as site:
        await site.sell(order("volume", 1_000), fills(1))
        site.fault(Kind.REFUSE)
        await site.sell(order("volume", 1_000), fills(1))
        assert asked(site, Command.PRESET_VOLUME) == 4  # one more to begin the chain


async def test_a_pump_that_was_dark_unseen_is_told_again_who_controls_it() -> None:
    """It forgets its host in a moment without power; the next order reminds it, and sells."""
    async with station("sanki") as site:
        await site.driver.release()
        await site.until(PumpState.IDLE)
        await site.sell(order("volume", 10_000), fills_litres(20))
        site.pump.cut_power()
        site.pump.return_power()
        sale = await site.sell(order("volume", 5_000), fills_litres(20))
        assert sale.volume_ml == 5_000


async def test_a_stop_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pump is ill, and it is said so."""
    monkeypatch.setattr(sanki, "SHOWS_WITHIN_S", 0.3)
    async with station("sanki", speed=1, twin=HOSTED) as site:
        await site.driver.authorise(order("full"))
        site.fault(Kind.NO_EFFECT, count=None)
        with pytest.raises(DeviceFault, match="goes on"):
            await site.driver.stop()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", [Kind.SILENT, Kind.GARBLE, Kind.SHORT, Kind.SLOW, Kind.NOISE_BEFORE, Kind.ECHO])
async def test_a_bad_line_costs_time_and_nothing_else(kind: Kind) -> None:
    """Answers are spoilt in mid-sale and after it, and the sale is exact."""
    async with station("sanki", twin=HOSTED) as site:
        before = await site.total()
        await site.driver.authorise(order("volume", 5_000))
        site.fault(kind, amount=4 if kind is Kind.SLOW else None)
        site.bay.add(fills(1))
        await site.until(PumpState.ENDED)
        site.fault(kind, amount=4 if kind is Kind.SLOW else None)
        assert await site.driver.read_sale() == Sale(1, 5_000, 3_925, PRICE_E3)
        assert (await site.total()).volume_ml - before.volume_ml == 5_000


@pytest.mark.usefixtures("impatient")
async def test_a_dead_pump_is_silent() -> None:
    """Three tries, then it is said so."""
    async with station("sanki") as site:
        site.fault(Kind.SILENT, count=None)
        with pytest.raises(Silent):
            await site.driver.read_status()
        assert site.driver.link().counts["timeouts"] == 3


async def test_an_emergency_stop_ends_the_sale() -> None:
    """The protocol has no word for why."""
    async with station("sanki", speed=10, twin=HOSTED) as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(20))
        await site.until_true(lambda status: (status.volume_ml or 0) > 500)
        site.pump.raise_alarm()
        await site.until(PumpState.ENDED, PumpState.REACHED)
        await site.until(PumpState.ENDED)


def _another(site: Station) -> SankiPump:
    return SankiPump(
        site.line,
        PumpConfig(
            id="again",
            number=1,
            protocol="sanki",
            address=1,
            nozzles=(NozzleConfig(number=1, grade="92"),),
            line="island",
            options={"gap_ms": 0},
        ),
    )


async def _authorise(site: Station, what: Order) -> None:
    """A pump that is just back does nothing until it has been told that it has a host."""
    try:
        await site.driver.authorise(what)
    except DeviceFault as error:
        raise Transient(error.what, where=error.where) from error
