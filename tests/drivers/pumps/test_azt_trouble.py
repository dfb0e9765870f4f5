"""AZT where things go wrong: power cuts, restarts, lost and late answers, refusals and a dead pump cost no litre."""

from __future__ import annotations

import asyncio

import pytest
from one_nozzle_rig import PRICE_E3, Station, fills_litres, order, station

from drivers.errors import DeviceFault, Silent, Transient, Unsupported
from drivers.pump import PumpState, Sale
from drivers.pumps import azt, azt_talk
from drivers.pumps.azt import AztPump
from drivers.pumps.config import NozzleConfig, PumpConfig
from drivers.twins.faults import Piece
from drivers.twins.pumps.customer import fills
from drivers.twins.pumps.faults import PumpFaultKind as Kind
from drivers.twins.pumps.parts import Phase
from protocols.fieldbus.azt import Request
from protocols.fieldbus.azt_app import Command
from protocols.fieldbus.azt_frames import encode_long


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated pump answers within milliseconds; what it does not answer need not be waited for long."""
    monkeypatch.setattr(azt_talk, "FIRST_BYTE_S", 0.1)
    monkeypatch.setattr(azt_talk, "LATE_S", 0.05)


# Recovery.


async def test_a_sale_that_ended_while_the_box_was_off() -> None:
    """Another driver, after the restart, finds the pump in state 4 with the sale; authorising confirms it first."""
    async with station("azt") as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(6))
        await site.until(PumpState.ENDED)
        again = _another(site)
        status = (await again.read_status()).value
        assert status is not None
        assert status.state is PumpState.ENDED
        assert await again.read_sale() == Sale(1, 6_000, 4_710, PRICE_E3)
        await again.authorise(order("volume", 1_000))
        assert [request.command for request in site.twin.asked][-6:].count(Command.CONFIRM) == 1
        assert site.pump.phase is Phase.AUTHORISED


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("at", [Phase.AUTHORISED, Phase.DELIVERING, Phase.REACHED, Phase.ENDED, Phase.IDLE])
async def test_power_cut_at_each_state(at: Phase) -> None:
    """The pump goes dark for two seconds of its time; what flowed is sold, once, and the totals say the same."""
    async with station("azt", speed=20) as site:
        before = await site.total()
        if at is Phase.IDLE:
            site.fault(Kind.POWER_CUT, at=at)
        polling = asyncio.create_task(site.driver.run())
        await site.until_done(lambda: site.driver.authorise(order("volume", 2_000)))
        if at is not Phase.IDLE:
            site.fault(Kind.POWER_CUT, at=at)
        site.bay.add(fills(1))
        await site.until_done(lambda: site.until(PumpState.ENDED))
        await asyncio.sleep(0.2)  # for the cut that comes once the sale is over
        sale = await site.until_done(site.driver.read_sale)
        after = await site.until_done(site.total)
        await site.until_done(site.driver.release)
        polling.cancel()
        assert sale is not None
        assert sale.volume_ml == site.pump.delivered_ul[1] // 10_000 * 10
        assert after.volume_ml - before.volume_ml == sale.volume_ml
        assert site.pump.phase is Phase.IDLE


@pytest.mark.usefixtures("impatient")
async def test_a_lost_confirmation() -> None:
    """The pump has confirmed and its ACK is lost: the repetition is refused, and the status tells that all is well."""
    async with station("azt") as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(2))
        await site.until(PumpState.ENDED)
        await site.driver.read_sale()
        site.fault(Kind.SILENT, at=Phase.IDLE)
        await site.driver.release()
        assert site.pump.phase is Phase.IDLE
        assert [request.command for request in site.twin.asked].count(Command.CONFIRM) == 2


async def test_a_sale_that_changed_is_not_confirmed() -> None:
    """More has flowed since the till stored it: it must read and store it again."""
    async with station("azt") as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(2))
        await site.until(PumpState.ENDED)
        await site.driver.read_sale()
        assert site.pump.memory is not None
        site.pump.memory.ul += 100_000
        with pytest.raises(Transient, match="changed"):
            await site.driver.release()
        assert site.pump.phase is Phase.ENDED
        assert await site.driver.read_sale() == Sale(1, 2_100, 1_649, PRICE_E3)
        await site.driver.release()
        assert site.pump.phase is Phase.IDLE


async def test_an_order_does_not_cost_a_sale_that_nobody_has_read() -> None:
    """It ended between the till's last look and its order."""
    async with station("azt") as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(2))
        await site.until(PumpState.ENDED)
        with pytest.raises(Transient, match="has not been read"):
            await site.driver.authorise(order("full"))
        assert await site.driver.read_sale() == Sale(1, 2_000, 1_570, PRICE_E3)
        await site.driver.authorise(order("full"))


@pytest.mark.usefixtures("impatient")
async def test_a_lost_authorisation_is_not_repeated() -> None:
    """The ACK is lost: the status shows that the pump has heard, and one authorisation was sent."""
    async with station("azt") as site:
        site.fault(Kind.SILENT, at=Phase.AUTHORISED)
        await site.driver.authorise(order("full"))
        assert [request.command for request in site.twin.asked].count(Command.AUTHORISE) == 1
        assert site.pump.sales == 1


async def test_an_authorisation_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ACK is not believed: the pump goes on to show that it is idle."""
    monkeypatch.setattr(azt, "SHOWS_WITHIN_S", 0.3)
    async with station("azt", options={"read_dose_back": False}) as site:
        site.fault(Kind.NO_EFFECT, count=2)  # the dose and the authorisation
        with pytest.raises(Transient, match="does not show it"):
            await site.driver.authorise(order("volume", 1_000))
        assert site.pump.sales == 0


async def test_a_dose_without_effect_is_noticed_before_it_is_authorised() -> None:
    """The pump is asked what it was told."""
    async with station("azt") as site:
        site.fault(Kind.NO_EFFECT)
        with pytest.raises(Transient, match="shows None"):
            await site.driver.authorise(order("volume", 1_000))
        assert Command.AUTHORISE not in [request.command for request in site.twin.asked]


async def test_an_authorisation_that_shows_late() -> None:
    """It is waited for."""
    async with station("azt", speed=1) as site:
        site.fault(Kind.LATE_STATUS, amount=400)
        await site.driver.authorise(order("full"))
        assert site.pump.phase is Phase.AUTHORISED


async def test_refusals() -> None:
    """CAN is `not now`, NAK is `never`; neither is repeated."""
    async with station("azt") as site:
        site.fault(Kind.REFUSE)
        with pytest.raises(Transient, match=r"dose_volume.*CAN"):
            await site.driver.authorise(order("volume", 1_000))
        site.fault(Kind.REFUSE, amount=0x15)
        with pytest.raises(Unsupported, match=r"dose_volume.*NAK"):
            await site.driver.authorise(order("volume", 1_000))
        assert [request.command for request in site.twin.asked].count(Command.DOSE_VOLUME) == 2


async def test_a_stop_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pump is ill, and it is said so."""
    monkeypatch.setattr(azt, "SHOWS_WITHIN_S", 0.3)
    async with station("azt", speed=1) as site:
        await site.driver.authorise(order("full"))
        site.fault(Kind.NO_EFFECT, count=None)
        with pytest.raises(DeviceFault, match="goes on"):
            await site.driver.stop()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", [Kind.SILENT, Kind.GARBLE, Kind.SHORT, Kind.SLOW, Kind.NOISE_BEFORE, Kind.ECHO])
async def test_a_bad_line_costs_time_and_nothing_else(kind: Kind) -> None:
    """Every fourth answer is spoilt, and the sale is exact."""
    async with station("azt") as site:
        before = await site.total()
        await site.driver.authorise(order("volume", 5_000))
        site.fault(kind, amount=4 if kind is Kind.SLOW else None)
        site.bay.add(fills(1))
        await site.until(PumpState.ENDED)
        site.fault(kind, amount=4 if kind is Kind.SLOW else None)
        assert await site.driver.read_sale() == Sale(1, 5_000, 3_925, PRICE_E3)
        assert (await site.total()).volume_ml - before.volume_ml == 5_000
        await site.driver.release()


@pytest.mark.parametrize(("asked", "times"), [(Command.TOTALS, 1), (Command.FULL_SALE, 1), (Command.FULL_SALE, 2)])
async def test_a_late_answer_is_not_taken_for_another(asked: Command, times: int) -> None:
    """Answers name no question, and a sale looks like totals: 3 m³ would be nobody's, or 550 yuan be billed."""
    async with station("azt") as site:
        before = await site.total()
        await site.driver.authorise(order("volume", 5_000))
        site.bay.add(fills(1))
        await site.until(PumpState.ENDED)
        _answers_late(site, asked, times, other=Command.FULL_SALE if asked is Command.TOTALS else Command.TOTALS)
        assert await site.driver.read_sale() == Sale(1, 5_000, 3_925, PRICE_E3)
        assert (await site.total()).volume_ml - before.volume_ml == 5_000


@pytest.mark.usefixtures("impatient")
async def test_a_dead_pump_is_silent() -> None:
    """Three tries, then it is said so."""
    async with station("azt") as site:
        site.fault(Kind.SILENT, count=None)
        with pytest.raises(Silent):
            await site.driver.read_status()
        assert site.driver.link().counts["timeouts"] == 3


async def test_totals_that_move_by_themselves_are_told() -> None:
    """The driver explains nothing; the till sees it."""
    async with station("azt") as site:
        site.pump.move_total(1, 10_000)
        assert (await site.total()).volume_ml == 65_030


async def test_an_emergency_stop_ends_the_sale_with_an_alarm() -> None:
    """State 4 with its error flag, and what the pump says of it."""
    async with station("azt", speed=10) as site:
        await site.driver.authorise(order("full"))
        site.bay.add(fills_litres(20))
        await site.until_true(lambda status: (status.volume_ml or 0) > 500)
        site.pump.raise_alarm()
        status = await site.until(PumpState.ENDED)
        assert status.alarm == "error 2: every hose is switched off"


def _answers_late(site: Station, asked: Command, times: int, other: Command) -> None:
    """When it is asked this for so many times, the late answer to another question comes first."""
    twin, hear, left = site.twin, site.twin.hear, times

    def late(data: bytes) -> list[Piece]:
        nonlocal left
        before = len(twin.asked)
        pieces = list(hear(data))
        left -= sum(request.command == asked for request in twin.asked[before:])
        if left:
            return pieces
        twin.hear = hear
        return [Piece(encode_long(twin._answer(Request(other, b"")))), *pieces]

    twin.hear = late


def _another(site: Station) -> AztPump:
    nozzles = (NozzleConfig(number=1, grade="92"),)
    return AztPump(
        site.line, PumpConfig(id="again", number=1, protocol="azt", address=1, nozzles=nozzles, line="island")
    )
